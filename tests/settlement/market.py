"""A market in memory: two exchanges, a pool, two miners, clients with money and coins, on top of ``tests.book``.

:func:`market` is the morning of a trading day. ``aix-one`` keeps two clients, a miner, an affiliate, a house and a fee
account; every holder-bound account is bound to the key that :func:`holder_key` names. All defaults are those of a sale
that settles: a test changes the one thing it is about.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from ledger.crypto import canonical, jws
from ledger.model.accounts import iban
from ledger.model.outcome import Accepted, Outcome
from ledger.model.participants import Role
from ledger.model.transactions import EmbeddedJws, Mandate
from ledger.rules.day_close import DayClose
from ledger.rules.transfers import Transfer
from ledger.units import AccountId, AssetId, BusinessDate, ParticipantId, TimestampUs
from settlement.model.intervals import Status
from settlement.model.production import ProductionRow
from settlement.model.registers import Register
from settlement.rules import RULEBOOK
from settlement.rules.coins import CoinAdmit, RegistryCoin
from settlement.rules.custody import CustodyCredit, ReserveAttest
from settlement.rules.dvp import DvpSettle
from settlement.rules.miners import MinerAccountConfirm, RegistryLicence, RegistryMiner
from settlement.rules.policies import SETTLEMENT_POLICIES
from settlement.rules.production import ProductionReport
from settlement.rules.registry import RegistryExchange, RegistryPool, RegistryStatus
from settlement.rules.tables import WITHDRAWN
from settlement.rules.tariff import TariffSet
from tests.book import START_US, Book, genesis_document, key_of, own_account, pilot_book, wallet

BTC = 100_000_000
"""Smallest units of one bitcoin."""

PRICE = 4_877_536_166
"""Tiyn for one bitcoin on 27 December 2024."""

COIN = AssetId("BTC:aix-one")
DAY_US = 24 * 3_600_000_000
YEAR_US = 365 * DAY_US
BIN = "123456789013"
"""A number with a right check digit; nobody's."""


def account(name: str, code: str = "801") -> AccountId:
    """The account of an exchange with a name: ``account("SELLERBTC")``."""
    return iban(code, name.ljust(13, "0"))


def commitment(text: str) -> str:
    """Something that looks like a salted commitment, the same in every run."""
    return canonical.b64url(hashlib.sha256(text.encode()).digest())


def holder_key(holder: str) -> str:
    """The name of the key a holder's accounts are bound to."""
    return f"holder-key-{holder}"


def accepted(outcome: Outcome) -> Accepted:
    """The outcome, which must be a yes."""
    assert isinstance(outcome, Accepted), outcome
    return outcome


def bare_market(make: Callable[..., Book] = Book) -> Book:
    """Everybody is admitted; the registers are empty. ``make`` makes the book: one that keeps its blocks, say."""
    policies = dict(SETTLEMENT_POLICIES)
    book = pilot_book(RULEBOOK, document=genesis_document(rulebook=RULEBOOK, policies=policies), make=make)
    for participant, role, code in (
        ("ministry", Role.SUPERVISOR, "701"),
        ("auditor", Role.AUDITOR, "702"),
        ("aix-one", Role.EXCHANGE, "801"),
        ("aix-two", Role.EXCHANGE, "802"),
        ("pool-one", Role.POOL, "811"),
        ("miner-one", Role.MINER, "821"),
        ("miner-two", Role.MINER, "822"),
    ):
        accepted(book.admit(participant, role, code))
    return book


def registered_market(make: Callable[..., Book] = Book) -> Book:
    """The registers hold the exchanges, the pool, the miner with its licence, and the coin."""
    book = bare_market(make)
    from_us = TimestampUs(START_US - YEAR_US)
    for exchange in ("aix-one", "aix-two"):
        body = RegistryExchange(exchange=ParticipantId(exchange), licence=f"AFSA-{exchange}", from_us=from_us)
        accepted(book.submit("registry_exchange", body, by="ministry"))
    pool = RegistryPool(pool=ParticipantId("pool-one"), accreditation="P-1", from_us=from_us)
    accepted(book.submit("registry_pool", pool, by="ministry"))
    miner = RegistryMiner(miner=ParticipantId("miner-one"), name=commitment("miner-one"), bin=BIN)
    accepted(book.submit("registry_miner", miner, by="ministry"))
    licence = RegistryLicence(
        licence="L-1", miner=ParticipantId("miner-one"), subtype=1, issued=BusinessDate("2023-06-01")
    )
    accepted(book.submit("registry_licence", licence, by="ministry"))
    accepted(book.submit("registry_coin", RegistryCoin(coin="BTC", scale=8), by="ministry"))
    return book


def market(make: Callable[..., Book] = Book) -> Book:
    """A trading day: 100 BTC attested; the miner holds 10 BTC; client-a holds 900,000.00 tenge, client-b 5 BTC."""
    book = registered_market(make)
    admit = CoinAdmit(coin="BTC", contra=account("CONTRABTC"))
    accepted(book.submit("coin_admit", admit, by="aix-one", signers=("aix-one-1", "ministry-1")))
    for holder, account_class, name in (
        ("client-a", "client_segregated", "A"),
        ("client-b", "client_segregated", "B"),
        ("miner-one", "miner_proceeds", "M"),
        ("affiliate", "affiliate_client", "F"),
    ):
        open_holder(book, holder, account_class, name)
    open_unbound(book, "client-c", "client_segregated", account("CKZT"))
    for name, account_class in (("HOUSE", "house"), ("FEE", "fee")):
        accepted(book.open_account("aix-one", account(name), account_class=account_class))
    for name in ("MBTC", "MKZT"):
        accepted(book.submit("miner_account_confirm", MinerAccountConfirm(account=account(name)), by="miner-one"))
    attest(book, 100 * BTC)
    credit_coins(book, "MBTC", 10 * BTC)
    credit_coins(book, "BBTC", 5 * BTC)
    for name, amount in (("AKZT", 90_000_000), ("CKZT", 1_000_000)):
        fund(book, name, amount)
    accepted(book.submit("tariff_set", TariffSet(fee_ppm=2_000), by="aix-one"))
    close_day(book, "2024-12-24", "2024-12-27")
    return book


def open_holder(book: Book, holder: str, account_class: str, name: str) -> None:
    """Open a coin and a tenge account of a holder at ``aix-one``, bound to its key."""
    for suffix, asset in (("BTC", COIN), ("KZT", AssetId("KZT"))):
        accepted(
            book.open_account(
                "aix-one",
                account(name + suffix),
                account_class=account_class,
                asset=asset,
                holder=holder,
                holder_key=holder_key(holder),
            )
        )


def open_unbound(book: Book, holder: str, account_class: str, account_id: AccountId) -> None:
    """Open a tenge account without a holder key."""
    accepted(book.open_account("aix-one", account_id, account_class=account_class, holder=holder))


def attestation(book: Book, quantity: int, **members: Any) -> ReserveAttest:
    """What an auditor sees at ``aix-one`` now."""
    whole: dict[str, Any] = {
        "asset": COIN,
        "observed_us": TimestampUs(book.time_us),
        "withdrawn": book.state.get(WITHDRAWN, COIN) or 0,
        "quantity": quantity,
        "evidence": commitment(f"evidence-{quantity}"),
    } | members
    return ReserveAttest(**whole)


def attest(book: Book, quantity: int, **members: Any) -> Outcome:
    """An auditor attests a reserve of ``aix-one``, which sends it."""
    return send_attestation(book, attestation(book, quantity, **members))


def send_attestation(book: Book, body: ReserveAttest) -> Outcome:
    """``aix-one`` sends what an auditor signed."""
    return book.submit("reserve_attest", body, by="aix-one", signers=("aix-one-1", "auditor-1"))


def credit_coins(book: Book, name: str, amount: int, deposit: str | None = None) -> Outcome:
    """Credit a deposit of coins at ``aix-one``."""
    body = CustodyCredit(account=account(name), amount=amount, deposit=deposit or f"D-{book.height}")
    return book.submit("custody_credit", body, by="aix-one")


def fund(book: Book, name: str, amount: int) -> None:
    """A client pays in from a bank: the wallet is funded from the bank's own account first."""
    tenge = AssetId("KZT")
    for debit, credit in ((own_account("601"), wallet("601", 1)), (wallet("601", 1), account(name))):
        body = Transfer(debit=debit, credit=credit, asset=tenge, amount=amount)
        accepted(book.submit("transfer", body, by="bank-a"))


def close_day(book: Book, closes: str, opens: str) -> None:
    """The operator moves the business date."""
    body = DayClose(closes=BusinessDate(closes), opens=BusinessDate(opens))
    accepted(book.submit("day_close", body, by="operator"))


def mandate(book: Book, signer: str, **members: Any) -> EmbeddedJws:
    """A mandate signed by the key of that name."""
    whole: dict[str, Any] = {
        "network": book.network,
        "purpose": "dvp",
        "coin": "BTC",
        "expires": TimestampUs(book.time_us + DAY_US),
        "nonce": "A" * 22,
    } | members
    signed = jws.sign(canonical.encode(Mandate(**whole)), [key_of(signer)], typ=jws.TYP_MANDATE)
    return EmbeddedJws(**jws.serialize_object(signed))


def sell_mandate(book: Book, holder: str = "miner-one", **members: Any) -> EmbeddedJws:
    """The miner's consent to sell up to 10 BTC for at least 40,000,000.00 tenge each."""
    whole: dict[str, Any] = {
        "account": account("MBTC"),
        "asset": COIN,
        "side": "sell",
        "maximum": 10 * BTC,
        "limit_price": 4_000_000_000,
    } | members
    return mandate(book, holder_key(holder), **whole)


def buy_mandate(book: Book, holder: str = "client-a", **members: Any) -> EmbeddedJws:
    """The client's consent to buy for up to 900,000.00 tenge, at most 60,000,000.00 a coin."""
    whole: dict[str, Any] = {
        "account": account("AKZT"),
        "asset": AssetId("KZT"),
        "side": "buy",
        "maximum": 90_000_000,
        "limit_price": 6_000_000_000,
    } | members
    return mandate(book, holder_key(holder), **whole)


def sale(book: Book, **members: Any) -> DvpSettle:
    """The miner sells 0.01 BTC to client-a for 487,753.61 tenge, with a fee of 0.2 per cent."""
    whole: dict[str, Any] = {
        "trade": f"T-{book.height}",
        "coin": "BTC",
        "quantity": BTC // 100,
        "price": PRICE,
        "seller_coin": account("MBTC"),
        "seller_tenge": account("MKZT"),
        "buyer_tenge": account("AKZT"),
        "buyer_coin": account("ABTC"),
        "fee": 97_550,
        "fee_account": account("FEE"),
        "reference_price": PRICE,
        "reference_date": BusinessDate("2024-12-23"),
        "executed_us": TimestampUs(book.time_us - 60_000_000),
        "seller_mandate": members.get("seller_mandate") or sell_mandate(book),
        "buyer_mandate": members.get("buyer_mandate") or buy_mandate(book),
    } | members
    return DvpSettle(**whole)


def settle(book: Book, **members: Any) -> Outcome:
    """Send a sale, changed in the given members."""
    return book.submit("dvp_settle", sale(book, **members), by="aix-one")


def row(number: int = 1, **members: Any) -> ProductionRow:
    """A row of a report: 1 BTC to the miner, a day before the ledger starts."""
    whole: dict[str, Any] = {
        "row": number,
        "miner": ParticipantId("miner-one"),
        "bin": BIN,
        "name": commitment("miner-one"),
        "licence": "L-1",
        "licence_date": BusinessDate("2023-06-01"),
        "wallet": commitment("wallet"),
        "distributed_us": TimestampUs(START_US - DAY_US),
        "coin": "BTC",
        "quantity": BTC,
        "receipt_value": PRICE,
        "payout": payout(number),
    } | members
    return ProductionRow(**whole)


def payout(number: int) -> str:
    """An output of one transaction on the coin's chain."""
    return f"{'ab' * 32}:{number}"


def report(book: Book, *rows: ProductionRow, sequence: int = 1, by: str = "pool-one") -> Outcome:
    """The pool sends a report."""
    return book.submit("production_report", ProductionReport(sequence=sequence, rows=rows), by=by)


def suspend(book: Book, register: Register, subject: str, from_us: int, *, until_us: int | None = None) -> None:
    """Suspend a subject from a moment on; without an end, until further notice."""
    body = RegistryStatus(
        register=register,
        subject=subject,
        status=Status.SUSPENDED,
        from_us=TimestampUs(from_us),
        until_us=None if until_us is None else TimestampUs(until_us),
        reason="order-1",
    )
    accepted(book.submit("registry_status", body, by="ministry"))
