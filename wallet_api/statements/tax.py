"""A tax pack on paper."""

from settlement.views.tax_pack import TaxPack
from wallet_api.statements.document import Amount, Document, Sheet, columns
from wallet_api.statements.levy import levy_facts, levy_sheet
from wallet_api.statements.miner import lots_sheet, value_sheets


def tax_document(pack: TaxPack) -> Document:
    """Return the pack as a document."""
    return Document(
        title=f"Tax pack of miner {pack.miner}, {pack.quarter}",
        facts=(
            ("miner", pack.miner),
            ("quarter", pack.quarter),
            ("first date", pack.from_date),
            ("last date", pack.until_date),
            ("licences", "; ".join(f"{held.licence} (subtype {held.subtype})" for held in pack.licences)),
            ("value at receipt by published prices, KZT", Amount(pack.value_published)),
            ("value at receipt as reported, KZT", Amount(pack.value_reported)),
            ("lots without a published price", pack.unvalued),
            ("sold for, KZT", Amount(pack.sold_for)),
            ("inputs", pack.inputs),
        ),
        sheets=(
            Sheet(
                name="calendar",
                title="What is due, and when",
                columns=columns("what", "due", "the act names", "the shift over days without work is"),
                rows=[(line.what, line.due.shifted, line.due.nominal, line.due.shift_status) for line in pack.calendar],
            ),
            Sheet("levy", "Levy of the quarter", columns("name", "value"), levy_facts(pack.levy), pack.levy.basis_note),
            levy_sheet(pack.levy),
            *(sheet for coin in pack.coins for sheet in (lots_sheet(coin), *value_sheets(coin))),
        ),
        notes=pack.notes,
    )
