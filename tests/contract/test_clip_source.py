"""What every ClipSource does, held over the library, ClipCafe (a loopback one) and the fake."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from core.adapters.media_fake import FakeMediaTools
from core.adapters.safe_download import DownloadLimits
from core.adapters.source_fake import FakeClipSource
from core.adapters.source_library import LibrarySource
from core.errors import MediaError, ProviderError, UnreadableMedia
from core.model.clips import Clip, Source
from core.model.transcripts import TimedBy, Transcript, WordTiming
from core.model.vocabulary import VocabularyWord
from core.ports import ClipSource, MediaTools
from core.store.clips import save_hit
from core.store.database import Database
from core.store.media_rows import save_film, save_media, save_transcript, set_film_transcript
from core.store.vocabulary import save_words
from tests.integration.clipcafe_world import make_world
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.clipcafe_corpus import CorpusClip
from tests.loopback.clipcafe_films import ClipFilms
from tests.loopback.discovery_world import hit

LINES = ["I refer you to the manual.", "Nobody has referred to it in years.", "The harbour was quiet.", "Refer, he said, and laughed."]


@dataclass
class Under:
    """One source with its database, and how to make a fetch of it fail."""

    source: ClipSource
    database: Database
    words: dict[str, VocabularyWord]
    break_fetch: object
    media_tools: MediaTools = field(default_factory=FakeMediaTools)

    def clip_of(self, place: int, word: str) -> Clip:
        found = self.source.search(self.words[word], max_hits=10)[place]
        with self.database.write() as connection:
            return save_hit(connection, found, hashlib.sha256(found.slug.encode()).hexdigest())


def add_film(database: Database, path: Path, lines: list[str], *, is_demo: bool = False) -> None:
    """A film of ten seconds in which each line takes two, with its transcript."""
    path.write_bytes(f"film {path.name} {lines}".encode())
    facts = FakeMediaTools().probe(path)
    timings = []
    for place, line in enumerate(lines):
        for at, text in enumerate(line.split()):
            timings.append(WordTiming(text, place * 2.5 + 0.2 * at, place * 2.5 + 0.2 * at + 0.15, None, TimedBy.ALIGNMENT))
    transcript = Transcript(f"t-{facts.media_id[:20]}", facts.media_id, "captions", "", "en", " ".join(lines), (), tuple(timings), False)
    with database.write() as connection:
        save_media(connection, facts, is_stored=False, is_demo=is_demo)
        film_id = save_film(connection, path, facts.media_id, title=path.stem, year=1994, is_demo=is_demo)
        save_transcript(connection, transcript)
        set_film_transcript(connection, film_id, transcript.transcript_id)


def clipcafe_clips() -> list[CorpusClip]:
    spoken = [line for line in LINES if "refer" in line.lower()]
    return [
        CorpusClip(f"clip-{n}", f"Clip {n}", "Harbour Point", 1994, f"A: {line}", line, 2.0 + n, 2.0 + n, "192x108", 100 - n, number=n)
        for n, line in enumerate(spoken)
    ]


@pytest.fixture(params=["library", "clipcafe", "fake"])
def under(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Under]:
    database = Database(tmp_path / "home")
    with database.write() as connection:
        ids = save_words(connection, {"refer": ("", ""), "zebra": ("", "")}, language="en", is_demo=False)
    vocabulary = {text: VocabularyWord(word_id, text) for text, word_id in ids.items()}
    if request.param == "library":
        films = [tmp_path / "Harbour Point.mp4", tmp_path / "Second.mp4"]
        add_film(database, films[0], LINES)
        add_film(database, films[1], LINES[:1])
        yield Under(LibrarySource(database, FakeMediaTools()), database, vocabulary, lambda slug: [film.unlink() for film in films])
    elif request.param == "clipcafe":
        from core.adapters.media_av import AvMediaTools

        with LoopbackClipCafe(clipcafe_clips(), ClipFilms(tmp_path / "films").bytes_of, limit=None) as server:
            world = make_world(tmp_path, server, timeout_s=20.0, deadline_s=30.0, download_limits=DownloadLimits())
            yield Under(world.source, database, vocabulary, server.forget, AvMediaTools())
            world.source.close()
            world.database.close()
    else:
        hits = [hit(f"clip-{place}", line) for place, line in enumerate(LINES) if "refer" in line.lower()]
        fake = FakeClipSource({"refer": hits})
        yield Under(fake, database, vocabulary, lambda slug: fake.failing_slugs.update({slug: UnreadableMedia("gone")}))
    database.close()


def test_hits_speak_the_word_in_order_and_within_the_limit(under: Under) -> None:
    found = under.source.search(under.words["refer"], max_hits=10)
    assert len(found) >= 2
    assert all("refer" in one.spoken.lower() for one in found)
    assert all(one.duration_s > 0 and one.end_s - one.start_s == pytest.approx(one.duration_s) for one in found)
    assert len({one.slug for one in found}) == len(found)
    assert list(under.source.search(under.words["refer"], max_hits=10)) == list(found)
    assert list(under.source.search(under.words["refer"], max_hits=1)) == list(found[:1])


def test_nothing_found_is_empty(under: Under) -> None:
    assert list(under.source.search(under.words["zebra"], max_hits=10)) == []


def test_a_fetch_writes_one_new_file_and_is_deterministic(under: Under, tmp_path: Path) -> None:
    clip = under.clip_of(0, "refer")
    first = under.source.fetch(clip, tmp_path / "one")
    second = under.source.fetch(clip, tmp_path / "two")
    assert list((tmp_path / "one").iterdir()) == [first]
    assert first.read_bytes() == second.read_bytes()
    assert under.media_tools.probe(first).duration_s == pytest.approx(clip.duration_s, abs=0.1)


def test_a_fetch_that_fails_leaves_nothing(under: Under, tmp_path: Path) -> None:
    clip = under.clip_of(0, "refer")
    under.break_fetch(clip.slug)  # type: ignore[operator]
    (tmp_path / "into").mkdir()
    with pytest.raises((MediaError, ProviderError)):
        under.source.fetch(clip, tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


def test_whose_hits_they_are_says_the_name(under: Under) -> None:
    assert under.source.name
    assert under.source.search(under.words["refer"], max_hits=1)[0].source in (Source.LIBRARY, Source.CLIPCAFE)


def test_the_demo_films_take_no_place_among_the_hits_of_a_real_word(tmp_path: Path) -> None:
    database = Database(tmp_path / "home")
    add_film(database, tmp_path / "demo.mp4", LINES, is_demo=True)
    add_film(database, tmp_path / "own.mp4", LINES)
    with database.write() as connection:
        own = save_words(connection, {"refer": ("", "")}, language="en", is_demo=False)["refer"]
        demo = save_words(connection, {"refer": ("", "")}, language="en", is_demo=True)["refer"]
    source = LibrarySource(database, FakeMediaTools())
    for word_id, is_demo in ((own, False), (demo, True)):
        assert [one.is_demo for one in source.search(VocabularyWord(word_id, "refer"), max_hits=1)] == [is_demo]
    database.close()


def test_two_clips_of_one_film_that_begin_together_have_two_names(tmp_path: Path) -> None:
    """A film taken in anew, with other words after the same beginning, is not the old clip."""
    database = Database(tmp_path / "home")
    with database.write() as connection:
        word = VocabularyWord(save_words(connection, {"refer": ("", "")}, language="en", is_demo=False)["refer"], "refer")
    source = LibrarySource(database, FakeMediaTools())
    path = tmp_path / "film.mp4"
    add_film(database, path, ["I refer you to him."])
    first = source.search(word, max_hits=5)[0]
    facts = FakeMediaTools().probe(path)
    said = ["I", "refer", "you", "to", "her,", "always."]
    words = tuple(WordTiming(text, at * 0.4, at * 0.4 + 0.3, None, TimedBy.ALIGNMENT) for at, text in enumerate(said))
    with database.write() as connection:
        save_transcript(connection, Transcript("other", facts.media_id, "whisper", "", "en", "", (), words, True))
        film_id = save_film(connection, path, facts.media_id, title="film", year=1994, is_demo=False)
        set_film_transcript(connection, film_id, "other")
    second = source.search(word, max_hits=5)[0]
    assert second.start_s == first.start_s
    assert second.slug != first.slug
    database.close()
