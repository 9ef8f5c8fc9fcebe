"""First act: everyone is admitted and registered, and five billion tenge are issued on two requests."""

from typing import Final

from ledger.model.assets import TENGE
from ledger.model.participants import Role
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.admission import WITNESSED_ROLES, ParticipantAdmit
from ledger.rules.issuance import Issue
from ledger.rules.transfers import Transfer
from ledger.units import TimestampUs
from settlement.rules.coins import CoinAdmit, RegistryCoin, coin_asset
from settlement.rules.custody import ReserveAttest
from settlement.rules.miners import RegistryLicence, RegistryMiner
from settlement.rules.registry import RegistryExchange, RegistryPool
from settlement.rules.tariff import TariffSet
from wallet_api.client import commitment
from wallet_api.sandbox.pilot_plan import (
    ADMITTED,
    ATTESTED,
    DATES,
    EXCHANGES,
    FEE_PPM,
    ISSUED_TIYN,
    POOLS,
    REGISTERED_SINGLY,
    TO_BANK_C_TIYN,
    tenge_text,
)
from wallet_api.sandbox.pilot_stage import Stage, account_of, local_time_us, own_account

COIN: Final = "BTC"
"""The coin of the pilot."""

REGISTERED_FROM: Final = "2023-04-01"
"""Exchanges and pools are registered from the day the law entered into force."""

OPENING_LOOK_US: Final = local_time_us(DATES[0], 8, 30)
"""When the auditor looked at the exchanges' coins, on the first morning."""


def play_opening(stage: Stage) -> None:
    """Admit, register, open own accounts, issue."""
    stage.show.act("Opening: admission, registers, issuance")
    stage.move_to(DATES[0], 9)
    _admit(stage)
    _register(stage)
    _admit_coins(stage)
    _issue(stage)


def commit(text: str) -> str:
    """Return a commitment to a value that is personal in real life; nobody in the pilot asks for its opening."""
    committed, _ = commitment(text)
    return committed


def attestation(
    stage: Stage, exchange: str, *, quantity: int, observed_us: TimestampUs, withdrawn: int = 0
) -> ReserveAttest:
    """Return what the auditor saw of an exchange's coins."""
    return ReserveAttest(
        asset=coin_asset(COIN, stage.member(exchange).participant),
        observed_us=observed_us,
        withdrawn=withdrawn,
        quantity=quantity,
        evidence=commit(f"evidence {exchange}"),
    )


def _admit(stage: Stage) -> None:
    issuers = stage.member("central-bank").signers()
    for plan in ADMITTED:
        member = stage.member(plan.participant)
        body = ParticipantAdmit(
            participant=member.participant,
            name=member.name,
            role=member.role,
            code=member.code,
            quorum=member.quorum,
            keys=member.keys(),
        )
        witnesses = issuers if member.role in WITNESSED_ROLES else ()
        stage.do("operator", "participant_admit", body, cosigners=(*witnesses, *member.all_keys()))
    stage.show.step(f"{len(ADMITTED)} institutions admitted, each of their keys signing too")
    for plan in ADMITTED:
        member = stage.member(plan.participant)
        if member.role in (Role.INTERMEDIARY, Role.EXCHANGE):
            own = NewAccount(account=own_account(member), asset=TENGE, account_class="own")
            stage.do(member.participant, "account_open", AccountOpen(accounts=(own,)))


def _register(stage: Stage) -> None:
    from_us = local_time_us(REGISTERED_FROM, 0)
    for number, plan in enumerate(EXCHANGES, 1):
        body = RegistryExchange(
            exchange=stage.member(plan.participant).participant, licence=f"AFSA-A-LA-2023-000{number}", from_us=from_us
        )
        stage.do("supervisor", "registry_exchange", body)
    for number, plan in enumerate(POOLS, 1):
        pool = RegistryPool(
            pool=stage.member(plan.participant).participant, accreditation=f"KZ-POOL-000{number}", from_us=from_us
        )
        stage.do("supervisor", "registry_pool", pool)
    for plan_ in REGISTERED_SINGLY:
        miner = stage.member(plan_.miner)
        stage.do(
            "supervisor",
            "registry_miner",
            RegistryMiner(miner=miner.participant, name=commit(miner.name), bin=plan_.bin),
        )
        licence = RegistryLicence(
            licence=plan_.licence,
            miner=miner.participant,
            subtype=plan_.subtype,
            issued=plan_.issued,  # type: ignore[arg-type]
            expires=plan_.expires,  # type: ignore[arg-type]
        )
        stage.do("supervisor", "registry_licence", licence)
    stage.do("supervisor", "registry_coin", RegistryCoin(coin=COIN, scale=8))
    stage.show.step("registers: 2 exchanges, 2 pools, 4 miners with licences, BTC")


def _admit_coins(stage: Stage) -> None:
    supervisor = stage.member("supervisor").signers(1)
    auditor = stage.member("auditor").signers(1)
    for plan in EXCHANGES:
        member = stage.member(plan.participant)
        contra = account_of(member, "contrabtc")
        stage.do(member.participant, "coin_admit", CoinAdmit(coin=COIN, contra=contra), cosigners=supervisor)
        stage.do(member.participant, "tariff_set", TariffSet(fee_ppm=FEE_PPM))
        attested = attestation(
            stage, plan.participant, quantity=ATTESTED[plan.participant], observed_us=OPENING_LOOK_US
        )
        stage.do(member.participant, "reserve_attest", attested, cosigners=auditor)
    stage.show.step("BTC admitted at both exchanges, tariffs posted, reserves attested by the auditor")


def _issue(stage: Stage) -> None:
    issuers = stage.member("central-bank").signers()
    for number, (bank, amount) in enumerate(ISSUED_TIYN.items(), 1):
        body = Issue(account=own_account(stage.member(bank)), amount=amount, reserve_payment=f"RTGS-ISSUE-{number}")
        stage.do(bank, "issue", body, cosigners=issuers)
        stage.show.step(f"{tenge_text(amount)} tenge issued to {stage.member(bank).name}, 2 of 3 issuers signing")
    bank_a, bank_c = stage.member("bank-a"), stage.member("bank-c")
    stage.do(
        bank_a.participant,
        "transfer",
        Transfer(debit=own_account(bank_a), credit=own_account(bank_c), asset=TENGE, amount=TO_BANK_C_TIYN),
    )
