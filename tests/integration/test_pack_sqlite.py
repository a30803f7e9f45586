"""A pack is read back with nothing but the standard library."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from core.adapters.pack_sqlite import write_pack
from core.errors import InvalidInput, UnreadableMedia
from tests.loopback.items import make_item


def test_a_pack_holds_films_words_mappings_and_finds_text(tmp_path):
    items = [make_item(tmp_path, "a"), make_item(tmp_path, "b", word="manual", audio_transcript="A blasé captain.")]
    summary = write_pack(iter(items), tmp_path / "packs" / "pack.db", title="TOEFL")
    assert (summary.n_clips, summary.n_mappings) == (2, 2)
    with closing(sqlite3.connect(summary.path)) as pack:
        assert pack.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert pack.execute("SELECT film FROM clips WHERE slug = 'a'").fetchone()[0] == Path(items[0].path).read_bytes()
        assert pack.execute("SELECT word, start_s, confidence FROM words WHERE clip_id = 1 ORDER BY position").fetchall() == [
            ("I", 0.1, None),
            ("refer", 0.2, 0.98),
        ]
        assert pack.execute("SELECT word, clip_id, relevance_score FROM mappings ORDER BY word").fetchall() == [
            ("manual", 2, 0.9),
            ("refer", 1, 0.9),
        ]
        found = "SELECT slug FROM clips WHERE rowid IN (SELECT rowid FROM clips_fts WHERE clips_fts MATCH ?)"
        assert pack.execute(found, ("captains",)).fetchall() == [("b",)]
        assert pack.execute("SELECT title, n_clips FROM pack").fetchall() == [("TOEFL", 2)]


def test_an_empty_pack_opens(tmp_path):
    assert write_pack([], tmp_path / "p.db", title="").n_clips == 0


def test_what_is_there_is_never_touched(tmp_path):
    (tmp_path / "p.db").write_bytes(b"mine")
    with pytest.raises(InvalidInput, match="exists"):
        write_pack([], tmp_path / "p.db", title="")
    assert (tmp_path / "p.db").read_bytes() == b"mine"


@pytest.mark.parametrize("kind", ["gone", "twice"])
def test_a_fault_leaves_nothing_behind(tmp_path, kind):
    films = tmp_path / "films"
    films.mkdir()
    item = make_item(films, "a")
    items = [item, item] if kind == "twice" else [item, replace(item, name="x", path=str(tmp_path / "nothing"))]
    with pytest.raises(InvalidInput if kind == "twice" else UnreadableMedia):
        write_pack(items, tmp_path / "out" / "p.db", title="")
    assert list((tmp_path / "out").iterdir()) == []
