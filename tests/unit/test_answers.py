from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadAnswer
from core.model.exports import ItemStatus
from core.rules.answers import plain_message, read_results, retry_after_s
from tests.loopback.items import bare_item

ITEMS = [bare_item("a"), bare_item("b")]
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def row(slug, **changes):
    return {"slug": slug, "video_id": 1, "status": "created", "mappings_created": 1, "mappings_skipped": 0, **changes}


def test_reads_one_result_an_item():
    results = read_results({"success": True, "results": [row("a"), row("b", status="existed", mappings_skipped=2)]}, ITEMS)
    assert [(r.slug, r.status, r.mappings_skipped) for r in results] == [("a", ItemStatus.CREATED, 0), ("b", ItemStatus.EXISTED, 2)]


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"success": True},
        {"success": False, "results": [row("a"), row("b")]},
        {"success": True, "results": [row("a")]},
        {"success": True, "results": [row("b"), row("a")]},
        {"success": True, "results": [row("a"), row("b", status="burnt")]},
        {"success": True, "results": [row("a"), row("b", status=[])]},
        {"success": True, "results": [row("a"), row("b", video_id=None)]},
        {"success": True, "results": [row("a"), row("b", video_id=True)]},
        {"success": True, "results": [row("a"), 5]},
    ],
)
def test_anything_else_is_not_believed(answer):
    with pytest.raises(BadAnswer):
        read_results(answer, ITEMS)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["success", "results", "slug", "video_id", "status"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(json_values)
def test_no_answer_makes_it_stumble(answer):
    try:
        found = read_results(answer, ITEMS)
    except BadAnswer:
        return
    assert [result.slug for result in found] == [item.slug for item in ITEMS]


def test_messages_are_short_plain_and_without_secrets():
    assert plain_message("no\x00 t0ken\r\n\x1b[31mhere\u202e", ("t0ken", "")) == "no *** [31mhere"
    assert len(plain_message("x" * 5000)) == 300


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 2.5 ", 2.5),
        ("-3", 0),
        ("315360000", 300),
        ("9" * 400, 0),
        ("soon", 0),
        ("Thu, 01 Jan 2026 00:00:09 GMT", 9),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0),
        ("Fri, 01 Jan 2036 00:00:00 GMT", 300),
    ],
)
def test_retry_after_in_every_form(header, expected):
    assert retry_after_s(header, MOMENT) == pytest.approx(expected)
