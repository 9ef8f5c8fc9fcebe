"""A small network with a running node: operator, central bank, two banks with money and wallets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.participants import Role
from ledger.rules.accounts import NewAccount
from ledger.rules.admission import ParticipantAdmit
from ledger.units import AccountId
from wallet_api.client import TengeClient, TrustedLog
from wallet_api.client.references import system_time_us
from wallet_api.sandbox.folder import write_folder
from wallet_api.sandbox.network import Member, MemberPlan, Network, keys_from_seed, make_network
from wallet_api.sandbox.node_process import NodeProcess

BANKS = (
    MemberPlan("bank-a", "Bank A", Role.INTERMEDIARY, "601"),
    MemberPlan("bank-b", "Bank B", Role.INTERMEDIARY, "602"),
)
ISSUED = 1_000_000_00
"""What bank-a starts with, in tiyn."""

OWN_A = iban("601", "OWN0000000000")
OWN_B = iban("602", "OWN0000000000")
WALLET_A = iban("601", "0000000000001")
WALLET_B = iban("602", "0000000000001")


@dataclass(frozen=True)
class Town:
    """The network, its folder and its node's address."""

    network: Network
    folder: Path
    address: str

    @property
    def trusted(self) -> TrustedLog:
        """The log, learned from the genesis document."""
        return TrustedLog.from_genesis(self.network.document)

    def member(self, name: str) -> Member:
        """An institution with its keys."""
        return self.network.members[name]

    def client(self, name: str, *, transport: httpx2.BaseTransport | None = None, **options: Any) -> TengeClient:
        """A client of an institution, over a transport of the test's own if one is given."""
        member = self.member(name)
        http = None if transport is None else httpx2.Client(base_url=self.address, transport=transport)
        return TengeClient(
            self.address,
            trusted=options.pop("trusted", self.trusted),
            participant=name,
            signers=options.pop("signers", member.signers()),
            authentication_key=member.authentication,
            http=http,
            **options,
        )


def new_folder(folder: Path, *, seed: str = "town") -> Network:
    """Make the folder of the town's node; the same seed makes the same keys."""
    network = make_network("town", clock="system", time_us=system_time_us(), keys=keys_from_seed(seed), others=BANKS)
    write_folder(folder, network)
    return network


def settle(town: Town) -> None:
    """Admit the banks, open their accounts, issue to bank-a."""
    with town.client("operator", checks="lazily") as operator:
        for plan in BANKS:
            member = town.member(plan.participant)
            body = ParticipantAdmit(
                participant=member.participant,
                name=member.name,
                role=member.role,
                code=member.code,
                quorum=member.quorum,
                keys=member.keys(),
            )
            operator.submit("participant_admit", body, cosigners=member.all_keys())
    for bank, own, wallet in (("bank-a", OWN_A, WALLET_A), ("bank-b", OWN_B, WALLET_B)):
        with town.client(bank, checks="lazily") as client:
            client.open_accounts(accounts(own, wallet))
    with town.client("bank-a", checks="lazily") as client:
        client.issue(OWN_A, ISSUED, "RTGS-1", issuers=town.member("central-bank").signers())


def accounts(own: AccountId, *wallets: AccountId) -> Sequence[NewAccount]:
    """An own account and wallets, to open."""
    return (
        NewAccount(account=own, asset=TENGE, account_class="own"),
        *(NewAccount(account=wallet, asset=TENGE, account_class="wallet", holder="holder-1") for wallet in wallets),
    )


def run(folder: Path, network: Network) -> tuple[NodeProcess, Town]:
    """Start the node of a folder; who calls stops it."""
    node = NodeProcess(folder)
    return node, Town(network, folder, node.address)
