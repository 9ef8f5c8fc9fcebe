"""The public figures of a node, made once for each closed business date."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from ledger.state import View
from settlement.views.public_figures import PublicFigures, last_closed, public_figures
from settlement.views.steady import Steady
from wallet_api.statements.csv_form import to_csv
from wallet_api.statements.forms import Form
from wallet_api.statements.html_form import to_html
from wallet_api.statements.public import public_document


@dataclass(frozen=True, slots=True)
class Published:
    """The figures in every form, as bytes."""

    figures: PublicFigures
    forms: dict[Form, bytes]


class PublicPage:
    """Keeps the figures of the last closed day; whoever asks first after a day is closed waits for the next ones."""

    def __init__(self, view: Callable[[], View]) -> None:
        """Read from the state as it is when it is asked for."""
        self._view = view
        self._lock = threading.Lock()
        self._published: Published | None = None

    def published(self) -> Published:
        """Return the figures; from any thread."""
        with self._lock:
            view = Steady(self._view())
            if self._published is None or self._published.figures.as_of != last_closed(view):
                figures = public_figures(view)
                document = public_document(figures)
                self._published = Published(
                    figures,
                    {
                        Form.JSON: msgspec.json.encode(figures),
                        Form.CSV: to_csv(document),
                        Form.HTML: to_html(document),
                    },
                )
            return self._published
