"""A miner's statement on paper."""

from collections.abc import Iterable, Iterator
from fractions import Fraction

from settlement.model.levy_statement import LevyStatement
from settlement.model.statement import QuotaStatement
from settlement.views.miner_statement import CoinOfMiner, MinerStatement
from wallet_api.statements.document import Amount, Cell, Document, Share, Sheet, columns
from wallet_api.statements.levy import levy_facts, levy_sheet


def miner_document(statement: MinerStatement) -> Document:
    """Return the statement as a document; what the reader does not read has no table in it."""
    return Document(
        title=f"Statement of miner {statement.miner}, {statement.from_date} to {statement.until_date}",
        facts=(
            ("miner", statement.miner),
            ("first date", statement.from_date),
            ("last date", statement.until_date),
            ("parts", ", ".join(statement.parts)),
            ("licences", "; ".join(f"{held.licence} (subtype {held.subtype})" for held in statement.licences)),
            ("basis", "assumed" if statement.is_basis_assumed else "confirmed"),
            ("inputs", statement.inputs),
        ),
        sheets=(
            *(sheet for coin in statement.coins for sheet in _coin(coin)),
            *(sheet for levy in statement.levy for sheet in _levy(levy)),
        ),
        notes=statement.notes,
    )


def _coin(coin: CoinOfMiner) -> Iterator[Sheet]:
    yield lots_sheet(coin)
    if coin.quota is not None:
        yield _quota(coin.quota, coin.scale)
        yield _readings(coin.quota, coin.scale)
        yield _duties(coin.quota, coin.scale)
        yield _claims(coin.quota, coin.scale)
        yield _policies(coin.quota)
    if coin.value is not None:
        yield from value_sheets(coin)


def lots_sheet(coin: CoinOfMiner) -> Sheet:
    """Return the lots of a coin, with their values where the reader reads them."""
    has_value = any(lot.value is not None for lot in coin.lots)
    titles = ("lot", "state", "distributed", "licence", f"#quantity, {coin.coin}")
    value_titles = ("#price, KZT", "price of", "#value reported, KZT", "#value published, KZT", "value")
    rows: list[tuple[Cell, ...]] = []
    for lot in coin.lots:
        row: tuple[Cell, ...] = (lot.lot, lot.state, lot.distributed_on, lot.licence, Amount(lot.quantity, coin.scale))
        if lot.value is not None:
            price, published = lot.value.price, lot.value.published
            row += (
                "" if price is None else Amount(price.price),
                "" if price is None else price.carried_from or lot.distributed_on,
                Amount(lot.value.reported),
                "" if published is None else Amount(published),
                lot.value.state,
            )
        rows.append(row)
    return Sheet(
        name=f"lots {coin.coin}",
        title=f"Production of {coin.coin}: "
        f"{Amount(coin.produced, coin.scale).plain()} under licence, "
        f"{Amount(coin.unlicensed, coin.scale).plain()} without, "
        f"{Amount(coin.corrected, coin.scale).plain()} corrected",
        columns=columns(*titles, *(value_titles if has_value else ())),
        rows=rows,
    )


def _quota(quota: QuotaStatement, scale: int) -> Sheet:
    sums = (
        ("produced", quota.produced),
        ("obligation", quota.obligation),
        ("counted", quota.counted),
        ("counted on the obligation", quota.counted_obligation),
        ("shortfall", quota.shortfall),
        ("sold", quota.sold),
        ("held", quota.held),
        ("disqualified", quota.disqualified),
        ("pending", quota.pending),
        ("unmatched", quota.unmatched),
        ("unlicensed", quota.unlicensed),
        ("out of scope", quota.out_of_scope),
    )
    rows: list[tuple[Cell, ...]] = [(name, Amount(units, scale)) for name, units in sums]
    rows.append(("counted of produced, %", Share(_ratio(quota.counted, quota.produced))))
    if quota.with_attested is not None:
        both = quota.with_attested
        rows += [
            ("attested off this ledger", Amount(both.attested, scale)),
            ("counted with attested sales", Amount(both.counted, scale)),
            ("shortfall with attested sales", Amount(both.shortfall, scale)),
        ]
    return Sheet(
        name=f"quota {quota.coin}",
        title=f"Quota of {quota.coin} as of {quota.as_of}: settled on this ledger, quantity per coin, lot by lot",
        columns=columns("sum", f"#{quota.coin}"),
        rows=rows,
        note=quota.basis_note,
    )


def _readings(quota: QuotaStatement, scale: int) -> Sheet:
    return Sheet(
        name=f"readings {quota.coin}",
        title=f"All readings of the quota side by side, {quota.coin} as of {quota.as_of}",
        columns=columns(
            "basis", "period", "order", "of", "#produced", "#obligation", "#counted", "#shortfall", "named by", "note"
        ),
        rows=[
            (
                basis.basis,
                basis.period,
                basis.order,
                basis.coin or "all coins, KZT",
                *(
                    Amount(units, 2 if basis.coin is None else scale)
                    for units in (basis.produced, basis.obligation, basis.counted, basis.shortfall)
                ),
                ", ".join(basis.named_by) or "for comparison",
                basis.note,
            )
            for basis in quota.bases
        ],
    )


def _duties(quota: QuotaStatement, scale: int) -> Sheet:
    return Sheet(
        name=f"duties {quota.coin}",
        title=f"Obligation of each lot of {quota.coin}",
        columns=columns("lot", "distributed", "scope", "policy", "#quantity", "#obligation", "#met", "#shortfall"),
        rows=[
            (
                lot.lot,
                lot.distributed_on,
                lot.scope,
                lot.policy or "",
                *(
                    Amount(units, scale)
                    for units in (lot.quantity, lot.obligation, lot.counted_obligation, lot.shortfall)
                ),
            )
            for lot in quota.lots
        ],
    )


def _claims(quota: QuotaStatement, scale: int) -> Sheet:
    return Sheet(
        name=f"claims {quota.coin}",
        title=f"Sales of {quota.coin} and what they count for",
        columns=columns("claim", "executed", "column", "state", "reasons", "#quantity", "#undone", "#unmatched"),
        rows=[
            (
                claim.claim,
                claim.executed_on,
                claim.column,
                claim.state,
                ", ".join(claim.reasons),
                *(Amount(units, scale) for units in (claim.quantity, claim.reversed, claim.unmatched)),
            )
            for claim in quota.claims
        ],
    )


def _policies(quota: QuotaStatement) -> Sheet:
    return Sheet(
        name=f"policies {quota.coin}",
        title="Policies that decided here, and how sure they are",
        columns=columns("policy", "share", "basis", "period", "excess", "legal status", "source"),
        rows=[
            (
                policy.policy,
                f"{policy.share_numerator}/{policy.share_denominator}",
                policy.basis,
                policy.period,
                policy.excess,
                policy.legal_status,
                policy.legal_source,
            )
            for policy in quota.policies
        ],
    )


def value_sheets(coin: CoinOfMiner) -> Iterator[Sheet]:
    """Yield what lots of a coin were worth and its sales brought; the reader reads values."""
    value = coin.value
    assert value is not None, "the caller has looked"
    yield Sheet(
        name=f"value {coin.coin}",
        title=f"Value of {coin.coin} at receipt, and what sales brought",
        columns=columns("sum", "#KZT, or number of lots"),
        rows=[
            ("value of lots as reported", Amount(value.reported)),
            ("value of lots by the published price", Amount(value.published)),
            ("lots without a published price", value.unvalued),
            ("lots whose reported value differs", value.differing),
            ("sold for", Amount(value.sold_for)),
            ("fees of exchanges", Amount(value.fees)),
        ],
    )
    yield Sheet(
        name=f"sales {coin.coin}",
        title=f"Sales of {coin.coin} settled on this ledger",
        columns=columns(
            "claim", "executed", "#quantity", "#undone", "#price, KZT", "#amount, KZT", "#fee, KZT", "#reference, KZT"
        ),
        rows=[
            (
                sale.claim,
                sale.executed_on,
                Amount(sale.quantity, coin.scale),
                Amount(sale.undone, coin.scale),
                *(Amount(units) for units in (sale.price, sale.amount, sale.fee, sale.reference_price)),
            )
            for sale in value.sales
        ],
    )


def _levy(levy: LevyStatement) -> Iterable[Sheet]:
    facts = levy_facts(levy)
    return (
        Sheet(f"levy {levy.quarter}", f"Levy of {levy.quarter}", columns("name", "value"), facts, levy.basis_note),
        levy_sheet(levy),
    )


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
