"""Tables for spreadsheets: CSV whose cells no spreadsheet runs as a formula, and that reads back as the same text.

Source: OWASP, CSV Injection: a cell that begins with `= + - @`, tab or CR is a formula; an apostrophe before it makes it text.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def neutral_cell(value: object) -> object:
    """Text that a spreadsheet would run gets an apostrophe in front; so does text that begins with one already."""
    if isinstance(value, str) and value.startswith((*FORMULA_STARTS, "'")):
        return f"'{value}"
    return value


def plain_cell(text: str) -> str:
    """What `neutral_cell` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith((*FORMULA_STARTS, "'")) else text


def write_csv(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """CSV with a head line, CRLF line ends (RFC 4180)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(heads)
    writer.writerows([[neutral_cell(value) for value in row] for row in rows])
    return out.getvalue()
