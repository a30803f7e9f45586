"""Which bytes of a file a `Range` header asks for.

One answer is always one span: a list of ranges is answered by the smallest span that covers them, which a client tells
by `Content-Range`; a list that is long or wrong is refused, so that no header makes the server work.

Source: RFC 9110, sections 14.1.2, 14.2 and 15.5.17.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import InvalidInput

MAX_HEADER_CHARS = 1024
MAX_RANGES = 8
_ONE = re.compile(r"([0-9]*)-([0-9]*)")


class RangeUnsatisfiable(InvalidInput):
    """The range asked for is not in the file, or is no range; the answer is 416."""

    code = "range_unsatisfiable"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`[start, end)` in bytes; never empty."""

    start: int
    end: int

    @property
    def n_bytes(self) -> int:
        return self.end - self.start

    def content_range(self, size_bytes: int) -> str:
        """The header's value for a file of `size_bytes`."""
        return f"bytes {self.start}-{self.end - 1}/{size_bytes}"


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The bytes that `header` asks for; None when it asks for the whole file (absent, or in a unit that is not bytes).

    Raises: RangeUnsatisfiable for what is not a range, lies outside the file, or names more than eight ranges.
    """
    if header is None:
        return None
    unit, equals, wanted = header[: MAX_HEADER_CHARS + 1].partition("=")
    if equals and unit.strip().lower() != "bytes":
        return None
    if not equals or len(header) > MAX_HEADER_CHARS:
        raise RangeUnsatisfiable("The Range header is too long or is not a range.")
    parts = [part.strip() for part in wanted.split(",")]
    if len(parts) > MAX_RANGES:
        raise RangeUnsatisfiable(f"The Range header names {len(parts)} ranges; at most {MAX_RANGES} are answered.")
    spans = [span for part in parts if (span := _span(part, size_bytes)) is not None]
    if not spans:
        raise RangeUnsatisfiable(f"The range lies outside the file of {size_bytes} bytes.")
    return ByteRange(min(span.start for span in spans), max(span.end for span in spans))


def _span(part: str, size_bytes: int) -> ByteRange | None:
    """One `first-last`, `first-` or `-length`; None when it is well-formed and outside the file."""
    match = _ONE.fullmatch(part)
    if match is None or part == "-":
        raise RangeUnsatisfiable("The Range header is not a range such as bytes=0-499.")
    first, last = match.groups()
    if not first:
        length = min(int(last), size_bytes)
        return ByteRange(size_bytes - length, size_bytes) if length else None
    if last and int(last) < int(first):
        raise RangeUnsatisfiable("A range cannot end before it starts.")
    start = int(first)
    end = min(int(last) + 1, size_bytes) if last else size_bytes
    return ByteRange(start, end) if start < end else None
