"""A real log to follow: blocks sealed from signed transactions, in an SQLite block store."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ledger.crypto import digest
from ledger.genesis import read_genesis
from ledger.log.block import SALT_BYTES, Block
from ledger.log.block_store import BlockReader
from ledger.log.group import GENESIS_LEAVES, Position, Recorded, after, decide_group, genesis_block, origin_of, seal
from ledger.log.replay import Replay
from ledger.log.stores import open_reader, open_store
from ledger.model.accounts import iban
from ledger.model.assets import TENGE
from ledger.model.participants import KeyUse, Role
from ledger.rules import accounts, admission, bulk, day_close, issuance, transfers
from ledger.units import AccountId, BusinessDate, ParticipantId, TimestampUs
from tests.book import CORE_RULEBOOK, Book, key_of

BANK_OWN = iban("601", "OWN0000000000")
WALLET_1 = iban("601", "0000000000001")
WALLET_2 = iban("601", "0000000000002")
SALT = bytes(range(SALT_BYTES))


class Chain:
    """Signs with a book, and seals what it is given into blocks of as many transactions as it is given."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{folder / 'blocks.db'}"
        self.book = Book()
        self.origin = origin_of(self.book.network)
        self.store = open_store(self.url)
        self.epoch = self.store.open().epoch
        genesis = read_genesis(self.book.document)
        block = genesis_block(
            document_digest=digest.network_digest(self.book.document),
            time_us=genesis.time_us,
            rulebook=genesis.rulebook,
            epoch=self.epoch,
            salts=SALT * GENESIS_LEAVES,
            origin=self.origin,
            log_key=key_of("log"),
        )
        replay = Replay(self.book.document, {1: CORE_RULEBOOK})
        replay.apply(block)
        self.position: Position = replay.position
        self.store.append(block)
        self.blocks = [block]
        self.recorded: list[tuple[Recorded, ...]] = [()]

    def signed(self, kind: str, body: Any, *, by: str, signers: Sequence[str] = (), **members: Any) -> bytes:
        """A submission, signed by the sender's first key unless told otherwise."""
        transaction = self.book.transaction(kind, body, by=by, **members)
        return self.book.sign(transaction, [key_of(name) for name in signers or (f"{by}-1",)])

    def block(self, *submissions: bytes) -> Block:
        """Decide submissions and append the block."""
        self.book.time_us += 1_000_000
        group = decide_group(
            self.book.rulebook,
            self.book.state,
            self.position,
            [self.book.open(raw) for raw in submissions],
            TimestampUs(self.book.time_us),
        )
        assert len(group.recorded) == len(submissions), f"all are decided: {group.ends}"
        salts = SALT * group.leaf_count
        sealed = seal(group, self.position, epoch=self.epoch, salts=salts, origin=self.origin, log_key=key_of("log"))
        self.store.append(sealed.block)
        self.book.state.advance(group.overlay, group.time_us)
        self.position = after(sealed.block, sealed.prover.after)
        self.blocks.append(sealed.block)
        self.recorded.append(group.recorded)
        return sealed.block

    def replay(self) -> Replay:
        """A fresh replay of this log."""
        return Replay(self.book.document, {1: CORE_RULEBOOK})

    def reader(self) -> BlockReader:
        """A reader beside the writer."""
        return open_reader(self.url)

    # What a bank does, as submissions.

    def admit(self, participant: str = "bank-a", code: str = "601") -> bytes:
        """Admission of a bank with two signatories and an authentication key."""
        names = (f"{participant}-1", f"{participant}-2")
        keys = tuple(
            admission.NewKey(x=key_of(name).public.x, signatory=name, use=use)
            for name, use in (
                (names[0], KeyUse.TRANSACTION),
                (names[1], KeyUse.TRANSACTION),
                (f"{participant}-api", KeyUse.CLIENT_AUTHENTICATION),
            )
        )
        body = admission.ParticipantAdmit(
            participant=ParticipantId(participant),
            name="Bank",
            role=Role.INTERMEDIARY,
            code=code,
            quorum=1,
            keys=keys,
        )
        return self.signed(
            "participant_admit", body, by="operator", signers=("operator-1", "operator-2", *names, f"{participant}-api")
        )

    def open_accounts(self, *ids: AccountId, account_class: str = "wallet", by: str = "bank-a") -> bytes:
        """Opening of accounts in tenge."""
        new = tuple(
            accounts.NewAccount(account=account, asset=TENGE, account_class=account_class, holder="holder")
            for account in ids
        )
        return self.signed("account_open", accounts.AccountOpen(accounts=new), by=by)

    def open_bound_account(self, account: AccountId, holder: str) -> bytes:
        """Opening of a wallet bound to the key of ``holder``."""
        new = accounts.NewAccount(
            account=account, asset=TENGE, account_class="wallet", holder_key=key_of(holder).public.x
        )
        body = accounts.AccountOpen(accounts=(new,))
        return self.signed("account_open", body, by="bank-a", signers=("bank-a-1", holder))

    def issue(self, amount: int, reserve_payment: str, *, account: AccountId = BANK_OWN) -> bytes:
        """Issuance to the bank's own account."""
        body = issuance.Issue(account=account, amount=amount, reserve_payment=reserve_payment)
        return self.signed("issue", body, by="bank-a", signers=("bank-a-1", "issuer-1", "issuer-2"))

    def redeem(self, amount: int, reserve_payment: str) -> bytes:
        """Redemption from the bank's own account."""
        body = issuance.Redeem(account=BANK_OWN, amount=amount, reserve_payment=reserve_payment)
        return self.signed("redeem", body, by="bank-a", signers=("bank-a-1", "issuer-1", "issuer-2"))

    def pay(self, debit: AccountId, credit: AccountId, amount: int, **members: Any) -> bytes:
        """One payment of the bank."""
        body = transfers.Transfer(debit=debit, credit=credit, asset=TENGE, amount=amount)
        return self.signed("transfer", body, by="bank-a", **members)

    def bulk(self, lines: Sequence[tuple[AccountId, AccountId, int]], *, is_atomic: bool = False) -> bytes:
        """Many payments of the bank under one signature, labelled L0, L1 and so on."""
        body = bulk.BulkTransfer(
            asset=TENGE,
            is_atomic=is_atomic,
            lines=tuple(
                bulk.Line(debit=debit, credit=credit, amount=amount, label=f"L{number}")
                for number, (debit, credit, amount) in enumerate(lines)
            ),
        )
        return self.signed("bulk_transfer", body, by="bank-a")

    def close_day(self, closes: str, opens: str) -> bytes:
        """The operator moves the business date."""
        body = day_close.DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))
        return self.signed("day_close", body, by="operator")

    def set_rulebook(self, version: int) -> bytes:
        """The issuer's quorum changes the version of the rules from the next business day."""
        body = day_close.RulebookSet(version=version)
        return self.signed("rulebook_set", body, by="central-bank", signers=("issuer-1", "issuer-2"))

    def pilot(self) -> None:
        """A bank with an own account that holds 10,000.00 tenge, and two wallets: heights 1 to 3."""
        self.block(self.admit())
        self.block(self.open_accounts(BANK_OWN, account_class="own"), self.open_accounts(WALLET_1, WALLET_2))
        self.block(self.issue(1_000_000, "RTGS-1"))


def random_blocks(chain: Chain, count: int, seed: int = 1) -> None:
    """Blocks of payments, single and bulk, some refused, between three accounts of the bank."""
    draw = random.Random(seed)
    ids = (BANK_OWN, WALLET_1, WALLET_2)
    for _ in range(count):
        submissions = []
        for _ in range(draw.randint(1, 4)):
            lines = []
            for _ in range(draw.choice((1, 1, 40))):
                debit, credit = draw.sample(ids, 2)
                lines.append((debit, credit, draw.randint(1, 400_000)))
            if len(lines) == 1:
                submissions.append(chain.pay(*lines[0]))
            else:
                submissions.append(chain.bulk(lines, is_atomic=draw.random() < 0.2))
        chain.block(*submissions)
