from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rules.byte_ranges import ByteRange, RangeUnsatisfiable, parse_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("items=0-5", None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-99", (0, 100)),
        ("bytes=10-", (10, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-500", (0, 100)),
        ("bytes=50-9999999999999999999999", (50, 100)),
        ("Bytes = 1-2", (1, 3)),
        ("bytes=0-10,5-15", (0, 16)),
        ("bytes=0-0,-1", (0, 100)),
        ("bytes=5-9, 200-300", (5, 10)),
    ],
)
def test_reads_ranges(header, expected):
    found = parse_range(header, 100)
    assert found == (ByteRange(*expected) if expected else None)


@pytest.mark.parametrize(
    "header",
    [
        "bytes=100-",
        "bytes=100-200",
        "bytes=-0",
        "bytes=5-2",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=--5",
        "bytes=-1-5",
        "bytes=1-2,",
        "bytes",
        "bytes=0x1-2",
        "bytes=١-٢",
        "bytes=" + ",".join(f"{i}-{i}" for i in range(5000)),
        "bytes=" + ",".join(["0-1"] * 9),
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_refuses_what_is_no_range_at_once(header):
    started = time.perf_counter()
    with pytest.raises(RangeUnsatisfiable):
        parse_range(header, 100)
    assert time.perf_counter() - started < 0.1


def test_an_empty_file_has_no_range():
    with pytest.raises(RangeUnsatisfiable):
        parse_range("bytes=0-", 0)
    assert ByteRange(0, 5).content_range(10) == "bytes 0-4/10"


@given(st.text(max_size=60).map(lambda text: "bytes=" + text), st.integers(0, 1000))
def test_any_header_gives_a_part_of_the_file_or_is_refused(header, size):
    try:
        part = parse_range(header, size)
    except RangeUnsatisfiable:
        return
    assert part is not None
    assert 0 <= part.start < part.end <= size


@given(st.integers(1, 10_000), st.data())
def test_a_span_of_the_file_is_given_as_asked(size, data):
    start = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(start, size + 10))
    assert parse_range(f"bytes={start}-{last}", size) == ByteRange(start, min(last + 1, size))
