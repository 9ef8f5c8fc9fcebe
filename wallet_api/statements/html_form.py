"""A document as one page to print: no script, no picture, nothing from elsewhere; its style stands in it."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import Final

from wallet_api.statements.document import Amount, Cell, Document, Share, Sheet

MEDIA_TYPE: Final = "text/html; charset=utf-8"

STYLE: Final = """
:root { color-scheme: light; }
body { font: 10pt/1.4 "Liberation Sans", Arial, sans-serif; color: #111; background: #fff; margin: 2em auto;
  max-width: 70em; padding: 0 1em; }
h1 { font-size: 16pt; margin: 0 0 .6em; }
h2 { font-size: 12pt; margin: 1.6em 0 .4em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #bbb; padding: .25em .5em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #333; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.facts { width: auto; }
.facts th { font-weight: normal; color: #444; }
.notes, .note { border-left: 3px solid #b35900; padding-left: .8em; }
.none { color: #555; }
@page { size: A4 landscape; margin: 15mm; }
@media print {
  body { margin: 0; max-width: none; padding: 0; font-size: 8.5pt; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  h2 { break-after: avoid; }
}
"""
"""The whole style. Colours are readable in black and white; the heading of a table stands on each sheet of paper."""

SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The header ``content-security-policy`` of such a page: this one style, and nothing else."""


def to_html(document: Document) -> bytes:
    """Return the page."""
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(document.title)}</title><style>{STYLE}</style></head><body>",
        f"<h1>{escape(document.title)}</h1>",
        '<table class="facts"><tbody>',
        *(
            f'<tr><th scope="row">{escape(name)}</th>{_cell(value, is_number=False)}</tr>'
            for name, value in document.facts
        ),
        "</tbody></table>",
        *_notes(document.notes),
        *(part for sheet in document.sheets for part in _sheet(sheet)),
        "</body></html>\n",
    ]
    return "\n".join(parts).encode()


def _notes(notes: Iterable[str]) -> Iterable[str]:
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return [f'<ul class="notes">{items}</ul>'] if items else []


def _sheet(sheet: Sheet) -> Iterable[str]:
    yield f'<section id="{escape(sheet.name.replace(" ", "-"))}"><h2>{escape(sheet.title)}</h2>'
    if sheet.note:
        yield f'<p class="note">{escape(sheet.note)}</p>'
    if sheet.rows:
        heads = "".join(
            f'<th scope="col"{_class(is_number=column.is_number)}>{escape(column.title)}</th>'
            for column in sheet.columns
        )
        yield f"<table><thead><tr>{heads}</tr></thead><tbody>"
        for row in sheet.rows:
            cells = "".join(
                _cell(cell, is_number=column.is_number) for cell, column in zip(row, sheet.columns, strict=True)
            )
            yield f"<tr>{cells}</tr>"
        yield "</tbody></table>"
    else:
        yield '<p class="none">None.</p>'
    yield "</section>"


def _cell(cell: Cell, *, is_number: bool) -> str:
    return f"<td{_class(is_number=is_number)}>{escape(_text(cell))}</td>"


def _class(*, is_number: bool) -> str:
    return ' class="number"' if is_number else ""


def _text(cell: Cell) -> str:
    match cell:
        case Amount():
            return cell.grouped()
        case Share():
            return f"{cell.plain()} %" if cell.value is not None else "–"
        case int():
            return Amount(cell, 0).grouped()
        case str():
            return cell
