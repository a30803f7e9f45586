"""Names for files: whatever the text, a short, plain, harmless name."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.rules.safe_names import DEVICES, MAX_SLUG_CHARS, safe_slug, unique_slug

HOSTILE = [
    "../../x",
    "C:\\x",
    "con",
    "CON",
    "nul",
    "a/b",
    "-rf",
    "a\x00b",
    "\u202egnp.exe",
    "\ud800\udfff",
    "x" * 300,
    "é" * 300,
    "",
    "...",
    "日本語",
    "com1",
]


@given(st.text(st.characters(codec=None), max_size=400))
@pytest.mark.parametrize("make", [safe_slug, unique_slug])
def test_any_text_gives_a_harmless_name(make, text):
    name = make(text)
    assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", name)
    assert len(name) <= MAX_SLUG_CHARS
    assert name not in DEVICES


@pytest.mark.parametrize("text", HOSTILE)
def test_known_tricks_give_a_harmless_name(text):
    for name in (safe_slug(text), unique_slug(text)):
        assert re.fullmatch(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", name)
        assert len(name) <= MAX_SLUG_CHARS
        assert name not in DEVICES


@given(st.text(st.characters(codec=None)), st.text(st.characters(codec=None)))
@example("caf\u00e9", "cafe\u0301")
@example("A", "a")
@example("\ud800", "\udfff")
def test_different_texts_get_different_unique_names(one, other):
    assert (unique_slug(one) == unique_slug(other)) == (one == other)


def test_nfc_and_nfd_twins_look_alike_and_stay_apart():
    nfc, nfd = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    assert safe_slug(nfc) == safe_slug(nfd) == "cafe"
    assert unique_slug(nfc) != unique_slug(nfd)


def test_an_ordinary_title_stays_readable():
    assert safe_slug("Harbour Point: What's your emergency?") == "harbour-point-what-s-your-emergency"
    assert safe_slug("???", "film") == "film"
