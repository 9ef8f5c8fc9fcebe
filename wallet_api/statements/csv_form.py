"""A document as CSV (RFC 4180): every row names its table first, and each table begins with a row of its columns."""

import csv
import io
from typing import Final

from wallet_api.statements.document import Amount, Cell, Document, Share

MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=absent"

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""


def to_csv(document: Document) -> bytes:
    """Return the document; amounts are exact decimal numbers with a point, and shares are per cent."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["statement", "name", "value"])
    writer.writerow(["statement", "title", _text(document.title)])
    writer.writerows(["statement", _text(name), _cell(value)] for name, value in document.facts)
    writer.writerows(["statement", "note", _text(note)] for note in document.notes)
    for sheet in document.sheets:
        writer.writerow([sheet.name, *(column.title for column in sheet.columns)])
        writer.writerows([sheet.name, *map(_cell, row)] for row in sheet.rows)
    return out.getvalue().encode()


def _cell(cell: Cell) -> str:
    match cell:
        case Amount() | Share():
            return cell.plain()
        case int():
            return str(cell)
        case str():
            return _text(cell)


def _text(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
