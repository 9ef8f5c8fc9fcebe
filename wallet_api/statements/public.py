"""The public figures on paper."""

from fractions import Fraction

from settlement.views.public_figures import PublicFigures
from wallet_api.statements.document import Amount, Cell, Document, Share, Sheet, columns

WITHHELD = "withheld"


def public_document(figures: PublicFigures) -> Document:
    """Return the figures as a document."""
    with_duty, met = figures.miners_with_duty, figures.miners_met
    share: Cell = WITHHELD if with_duty is None or met is None else Share(Fraction(met, with_duty))
    return Document(
        title=f"Mined coins and digital tenge: figures as of {figures.as_of}",
        facts=(
            ("as of the end of", figures.as_of),
            ("miners that had to sell a share", _count(with_duty)),
            ("of these, without a shortfall", share),
            ("levy paid, KZT", WITHHELD if figures.levy_paid is None else Amount(figures.levy_paid)),
            ("digital tenge in circulation, KZT", Amount(figures.tenge_in_circulation)),
            ("active exchanges", figures.exchanges),
            ("exchanges that reconcile daily", figures.exchanges_reconciling),
            ("of these, with every asset covered", _count(figures.exchanges_covered)),
        ),
        sheets=(
            Sheet(
                name="coins",
                title="Produced under licence, and sold on this ledger",
                columns=columns("coin", "#produced", "#sold"),
                rows=[
                    (
                        coin.coin,
                        *(
                            WITHHELD if units is None else Amount(units, coin.scale)
                            for units in (coin.produced, coin.sold)
                        ),
                    )
                    for coin in figures.coins
                ],
            ),
        ),
        notes=(
            f"A figure is withheld where fewer than {figures.firms_min} firms stand behind it, or one outweighs them.",
            "The law on the share to be sold could not be read to the word: the computation basis is assumed.",
        ),
    )


def _count(number: int | None) -> Cell:
    return WITHHELD if number is None else number
