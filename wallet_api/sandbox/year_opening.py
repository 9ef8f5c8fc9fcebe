"""The first morning of the simulated year: everyone admitted, the registers loaded, accounts opened, orders given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.crypto.keys import PrivateKey
from ledger.model.assets import TENGE
from ledger.rules.accounts import AccountOpen, NewAccount
from ledger.rules.admission import WITNESSED_ROLES, ParticipantAdmit
from ledger.rules.day_close import DayClose
from ledger.units import AccountId, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.energy import Duty, PayeePurpose
from settlement.model.sites import EnergySource, Zone
from settlement.rules.coins import CoinAdmit, coin_asset
from settlement.rules.custody import ReserveAttest
from settlement.rules.miners import MinerAccountConfirm
from settlement.rules.reconciliation_order import ReconciliationRequire
from settlement.rules.register_load import (
    CoinRow,
    ExchangeRow,
    LicenceRow,
    MeterRow,
    MinerRow,
    PoolRow,
    PriceListRow,
    RegistryLoad,
    SiteRow,
)
from settlement.rules.tariff import TariffSet
from settlement.rules.utilities import RegistryPayee, RegistryUtility
from wallet_api.sandbox.network import CENTRAL_BANK, KeyMaker, Member
from wallet_api.sandbox.pilot_opening import COIN, REGISTERED_FROM, commit
from wallet_api.sandbox.pilot_stage import account_of, local_time_us, own_account
from wallet_api.sandbox.year_ledger import YearLedger
from wallet_api.sandbox.year_plan import AUDITOR, BTC, FEE_PPM, SUPERVISOR, UTILITY, YearMiner, YearPlan

LICENSED_FROM: Final = "2023-08-14"
"""When every licence of the year was issued; it holds for three years."""

ATTESTATION_HOURS: Final = 24 * 8
"""How old an auditor's look may be; there is one every week."""

CUSHION: Final = 10 * BTC
"""What an exchange holds beyond what it owes."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Someone with two accounts at an exchange, bound to its own key."""

    name: str
    exchange: str
    tenge: AccountId
    coin: AccountId
    key: PrivateKey


@dataclass(slots=True)
class YearTown:
    """Where everything lies, and the exchanges' own books of what they owe."""

    plan: YearPlan
    ledger: YearLedger
    keys: KeyMaker
    miners: dict[str, Holder] = field(default_factory=dict)
    buyers: dict[str, list[Holder]] = field(default_factory=dict)
    """By exchange."""
    books: dict[AccountId, int] = field(default_factory=dict)
    """What each client is owed, by account, as the exchange counts it."""
    withdrawn: dict[str, int] = field(default_factory=dict)
    """Coins that were ever taken home, by exchange."""

    def member(self, name: str) -> Member:
        """Return an institution."""
        return self.ledger.member(name)

    def asset(self, exchange: str) -> AssetId:
        """Return the asset in which an exchange owes bitcoins."""
        return coin_asset(COIN, ParticipantId(exchange))

    def fee(self, exchange: str) -> AccountId:
        """Return the account for fees."""
        return account_of(self.member(exchange), "fee")

    def wallet(self, miner: YearMiner) -> AccountId:
        """Return a miner's wallet at its bank."""
        return account_of(self.member(miner.bank), miner.name)

    def treasury(self) -> AccountId:
        """Return the treasury's account."""
        return account_of(self.member(self.plan.banks[0].participant), "treasury")

    def add(self, account: AccountId, amount: int) -> None:
        """An exchange writes down that it owes a client more, or less."""
        self.books[account] = self.books.get(account, 0) + amount

    def owed(self, exchange: str, *, in_coins: bool) -> int:
        """What an exchange owes by its own books."""
        return sum(self.books.get(holder.coin if in_coins else holder.tenge, 0) for holder in self.holders(exchange))

    def holders(self, exchange: str) -> Iterator[Holder]:
        """Yield the clients of an exchange."""
        yield from self.buyers[exchange]
        yield from (holder for holder in self.miners.values() if holder.exchange == exchange)


def open_year(town: YearTown) -> None:
    """Do all that comes before the first sale."""
    _admit(town)
    _register(town)
    for exchange in town.plan.exchanges:
        _open_exchange(town, exchange.participant)
    for bank in town.plan.banks:
        _open_bank(town, bank.participant)
    _confirm(town)
    town.ledger.flush()
    for exchange in town.plan.exchanges:
        name = exchange.participant
        order = ReconciliationRequire(
            exchange=ParticipantId(name), attestation_hours=ATTESTATION_HOURS, order="AFSA-2025-1"
        )
        town.ledger.send("reconciliation_require", order, SUPERVISOR.participant)
    town.ledger.flush()


def attest(town: YearTown, exchange: str) -> None:
    """The auditor looks at an exchange's coins: all that it owes, and what is due in the coming week."""
    ledger = town.ledger
    # What the exchange owes is by its books as of what was decided.
    ledger.flush()
    body = ReserveAttest(
        asset=town.asset(exchange),
        observed_us=TimestampUs(ledger.now_us - 1),
        withdrawn=town.withdrawn.get(exchange, 0),
        quantity=town.owed(exchange, in_coins=True) + _coming(town, exchange) + CUSHION,
        evidence=commit(f"look at {exchange}"),
    )
    ledger.send("reserve_attest", body, exchange, cosigners=town.member(AUDITOR.participant).signers(1))


def close_day(town: YearTown, closes: str, opens: str) -> None:
    """The operator closes a business date."""
    body = DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))
    town.ledger.send("day_close", body, "operator")
    town.ledger.flush()


def _coming(town: YearTown, exchange: str) -> int:
    """Most that miners bring to an exchange in two weeks."""
    return sum(14 * 2 * miner.mined_a_day for miner in town.plan.miners if miner.exchange == exchange)


def _admit(town: YearTown) -> None:
    issuers = town.member(CENTRAL_BANK.participant).signers()
    for plan in town.plan.members:
        member = town.member(plan.participant)
        body = ParticipantAdmit(
            participant=member.participant,
            name=member.name,
            role=member.role,
            code=member.code,
            quorum=member.quorum,
            keys=member.keys(),
        )
        witnesses = issuers if member.role in WITNESSED_ROLES else ()
        town.ledger.send("participant_admit", body, "operator", cosigners=(*witnesses, *member.all_keys()))
    town.ledger.flush()


def _register(town: YearTown) -> None:
    since = local_time_us(REGISTERED_FROM, 0)
    licensed = local_time_us(LICENSED_FROM, 0)
    plan = town.plan
    rows: list[Any] = [
        *(
            ExchangeRow(exchange=ParticipantId(each.participant), licence=f"AFSA-{each.code}", from_us=since)
            for each in plan.exchanges
        ),
        *(
            PoolRow(pool=ParticipantId(each.participant), accreditation=f"P-{each.code}", from_us=since)
            for each in plan.pools
        ),
        CoinRow(coin=COIN, scale=8),
        PriceListRow(coin=COIN, from_us=since),
    ]
    for miner in plan.miners:
        name = ParticipantId(miner.name)
        rows += [
            MinerRow(miner=name, name=commit(miner.name), bin=miner.bin),
            LicenceRow(
                licence=miner.licence,
                miner=name,
                subtype=1 if miner.subtype == 1 else 2,
                issued=BusinessDate(LICENSED_FROM),
            ),
            SiteRow(site=miner.site, operator=miner.name, zone=Zone.NORTH_SOUTH, from_us=licensed),
            MeterRow(meter=miner.meter, site=miner.site, source=EnergySource.AUCTION, from_us=licensed),
        ]
    load = RegistryLoad(source=commit("register of the year"), rows=tuple(rows))
    town.ledger.send("registry_load", load, SUPERVISOR.participant)
    utility = RegistryUtility(
        utility=ParticipantId(UTILITY.participant),
        duty=Duty.SYSTEM_OPERATOR,
        zones=(Zone.NORTH_SOUTH,),
        from_us=since,
    )
    town.ledger.send("registry_utility", utility, SUPERVISOR.participant)
    town.ledger.flush()


def _open_exchange(town: YearTown, exchange: str) -> None:
    member, ledger = town.member(exchange), town.ledger
    admit = CoinAdmit(coin=COIN, contra=account_of(member, "contrabtc"))
    ledger.send("coin_admit", admit, exchange, cosigners=town.member(SUPERVISOR.participant).signers(1))
    ledger.send("tariff_set", TariffSet(fee_ppm=FEE_PPM), exchange)
    fee = NewAccount(account=town.fee(exchange), asset=TENGE, account_class="fee")
    ledger.send("account_open", AccountOpen(accounts=(fee,)), exchange)
    ledger.flush()
    town.buyers[exchange] = [
        _open_holder(town, name, exchange, f"B{number}", "client_segregated")
        for number, name in enumerate(town.plan.buyers(exchange))
    ]
    for number, miner in enumerate(town.plan.miners):
        if miner.exchange == exchange:
            town.miners[miner.name] = _open_holder(town, miner.name, exchange, f"M{number}", "miner_proceeds")
    attest(town, exchange)


def _open_holder(town: YearTown, name: str, exchange: str, short: str, account_class: str) -> Holder:
    member = town.member(exchange)
    key = town.keys(exchange, name)
    holder = Holder(name, exchange, account_of(member, f"{short}T"), account_of(member, f"{short}C"), key)
    new = tuple(
        NewAccount(
            account=account, asset=asset, account_class=account_class, holder=name, holder_key=holder.key.public.x
        )
        for account, asset in ((holder.tenge, TENGE), (holder.coin, town.asset(exchange)))
    )
    town.ledger.send("account_open", AccountOpen(accounts=new), exchange, cosigners=(key,))
    return holder


def _open_bank(town: YearTown, bank: str) -> None:
    member = town.member(bank)
    wallets = [(town.wallet(miner), miner.name) for miner in town.plan.miners if miner.bank == bank]
    if bank == town.plan.banks[0].participant:
        wallets.append((town.treasury(), "treasury"))
    new = (
        NewAccount(account=own_account(member), asset=TENGE, account_class="own"),
        *(
            NewAccount(account=account, asset=TENGE, account_class="wallet", holder=holder)
            for account, holder in wallets
        ),
    )
    town.ledger.send("account_open", AccountOpen(accounts=new), bank)


def _confirm(town: YearTown) -> None:
    for name, holder in town.miners.items():
        town.ledger.send("miner_account_confirm", MinerAccountConfirm(account=holder.coin), name)
    payee = RegistryPayee(account=town.treasury(), purpose=PayeePurpose.TREASURY)
    town.ledger.flush()
    town.ledger.send("registry_payee", payee, SUPERVISOR.participant, signers=2)
