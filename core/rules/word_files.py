"""Bytes of a word list → its rows, each with the number of the line on which it begins.

Not `csv.reader` over the whole file: one stray quotation mark there swallows every row that follows.
"""

from __future__ import annotations

import codecs
import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from core.errors import InvalidInput

_MOST_LINES_A_ROW = 20
"""A quoted cell may hold line breaks; one that is not closed within so many lines is a stray quotation mark."""
_NOT_TEXT = {b"PK\x03\x04": "an Excel or zip file", b"\xd0\xcf\x11\xe0": "an old Excel file", b"%PDF": "a PDF file"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file. `line` is the 1-based number of its first physical line."""

    line: int
    cells: tuple[str, ...]
    raw: str


def decode(data: bytes, file_name: str) -> str:
    """The text of a word list: UTF-8 with or without BOM, or UTF-16 with BOM.

    Bytes that are not UTF-8 become lone surrogates, so that their rows alone are refused.
    Raises: InvalidInput when it is no text at all.
    """
    name = file_name or "The word list"
    hint = "Save it as CSV in UTF-8 and import it again."
    for magic, what in _NOT_TEXT.items():
        if data.startswith(magic):
            raise InvalidInput(f"{name} is {what}, not a text file.", hint=hint)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode("utf-16", errors="surrogatepass")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{name} is cut off: its last UTF-16 character is half a character.", hint=hint) from error
    head = data[:4096]
    if head.count(0) > len(head) // 4:
        raise InvalidInput(f"{name} is not UTF-8: it looks like UTF-16 without a byte order mark, or like no text.", hint=hint)
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="surrogateescape")


def read_rows(text: str, delimiter: str = ",") -> Iterator[Row]:
    """The rows of `text` in order, blank ones included; a line end at the very end of the file begins no row.

    A quoted cell may reach over line ends, but not the first of its row: that is the word, where a lone quotation mark is
    a stray one.
    """
    lines = deque[tuple[int, str]]()
    source = _lines(text)
    while lines or _take(source, lines):
        line, raw = lines.popleft()
        if '"' not in raw:
            yield Row(line, tuple(raw.split(delimiter)), raw)
            continue
        whole = raw
        ahead = 0
        state = _quoting(whole, delimiter)
        while state == "open" and ahead < _MOST_LINES_A_ROW and (ahead < len(lines) or _take(source, lines)):
            whole += "\n" + lines[ahead][1]
            ahead += 1
            state = _quoting(whole, delimiter)
        if state != "closed":
            yield Row(line, tuple(raw.split(delimiter)), raw)
            continue
        for _ in range(ahead):
            lines.popleft()
        yield Row(line, _quoted_cells(whole, delimiter), whole)


def _take(source: Iterator[tuple[int, str]], lines: deque[tuple[int, str]]) -> bool:
    """Move the next line from `source` to the end of `lines`; false at the end of the file."""
    following = next(source, None)
    if following is not None:
        lines.append(following)
    return following is not None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered physical lines. CR alone ends a line only in a file that has no LF at all."""
    end_mark = "\n" if "\n" in text else "\r"
    start = 0
    number = 0
    while start < len(text):
        number += 1
        end = text.find(end_mark, start)
        end = len(text) if end < 0 else end
        yield number, text[start:end].removesuffix("\r")
        start = end + 1


def _quoting(raw: str, delimiter: str) -> str:
    """`closed`: every quoted cell ends. `open`: one goes on at the end of `raw`. `stray`: a mark that quotes nothing.

    A quotation mark in the middle of a cell quotes nothing and disturbs nothing (RFC 4180 has it escaped; lists do not).
    """
    place = 0
    while True:
        if raw.startswith('"', place):
            end = _end_of_quote(raw, place + 1)
            if end < 0:
                return "stray" if place == 0 else "open"
            if place == 0 and "\n" in raw[:end]:
                return "stray"
            place = end + 1
            if place < len(raw) and not raw.startswith(delimiter, place):
                return "stray"
        place = raw.find(delimiter, place)
        if place < 0:
            return "closed"
        place += 1


def _end_of_quote(raw: str, place: int) -> int:
    """Where the quotation mark stands that ends the cell; -1 when it is not in `raw`."""
    while True:
        place = raw.find('"', place)
        if place < 0 or not raw.startswith('"', place + 1):
            return place
        place += 2


def _quoted_cells(raw: str, delimiter: str) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([raw], delimiter=delimiter)))
    except csv.Error:  # a cell beyond csv's own limit of 131,072 characters: refused by its length later
        return tuple(raw.split(delimiter))
