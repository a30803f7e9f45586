"""The source `library`: clips cut from the user's own films around each spoken occurrence of a word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from core.errors import UnreadableMedia
from core.model.clips import Clip, FilmFacts, Hit, Source
from core.model.media import Film
from core.model.transcripts import Cue, Transcript
from core.model.vocabulary import VocabularyWord
from core.ports import MediaTools
from core.rules.matching import WordMatcher
from core.rules.safe_names import safe_slug
from core.rules.sentences import clip_bounds, split_sentences
from core.rules.word_timing import repair_order
from core.store.database import Database
from core.store.media_rows import film_of_media, list_films, load_transcripts
from core.store.tables import words as word_rows

MIN_CLIP_S, MAX_CLIP_S = 1.0, 15.0
"""What can teach a word in one go. Source: DESIGN.md, Words."""


class LibrarySource:
    """Own films, read in place. Costs nothing and counts nothing."""

    name = "library"
    is_remote = False

    def __init__(self, database: Database, media_tools: MediaTools) -> None:
        self._database = database
        self._media_tools = media_tools

    def search(self, word: VocabularyWord, *, max_hits: int, edition: str = "") -> Sequence[Hit]:
        """Every spoken occurrence of a form of the word, film by film, by time. Raises: nothing of its own."""
        with self._database.read() as connection:
            films = [film for film in films_for(connection, word) if film.transcript_id and film.state == "present"]
            transcripts = load_transcripts(connection, [film.transcript_id for film in films if film.transcript_id])
        matcher = WordMatcher([word])
        hits: list[Hit] = []
        for film in films:
            transcript = transcripts.get(film.transcript_id or "")
            if transcript is not None:
                hits += list(_hits_of(film, transcript, matcher))
            if len(hits) >= max_hits:
                break
        return hits[:max_hits]

    def fetch(self, clip: Clip, into: Path) -> Path:
        """Cut the clip out of its film. Raises: NotFound for a film that is gone, MediaError, DiskFull."""
        with self._database.read() as connection:
            film = film_of_media(connection, clip.film_media_id or "")
        if not film.path.exists():
            raise UnreadableMedia(f"The film {film.path} is not there now.", hint="Mount its disk, or take it in again from where it is.")
        return self._media_tools.cut(film.path, clip.start_s, clip.end_s, into)

    def forget(self, slug: str) -> None:
        """Nothing is kept: a clip is cut again from its film at no cost."""


def films_for(connection: Connection, word: VocabularyWord) -> list[Film]:
    """The demo's films for a word of the demo, else the user's own: one never takes the other's place among the hits."""
    is_demo = connection.execute(select(word_rows.c.is_demo).where(word_rows.c.word_id == word.word_id)).scalar_one_or_none()
    return list_films(connection, is_demo=bool(is_demo))


def _hits_of(film: Film, transcript: Transcript, matcher: WordMatcher) -> Iterator[Hit]:
    words = repair_order(transcript.words)
    sentences = split_sentences(words, [segment.end_s for segment in transcript.segments])
    taken: set[tuple[float, float]] = set()
    for match in matcher.find([word.text for word in words]):
        span = clip_bounds(words, sentences, match.first_index, min_s=MIN_CLIP_S, max_s=MAX_CLIP_S, media_end_s=film.duration_s)
        start_s, end_s = round(span.start_s, 3), round(min(span.end_s, film.duration_s), 3)
        if (start_s, end_s) in taken or end_s - start_s < MIN_CLIP_S / 2:
            continue
        taken.add((start_s, end_s))
        inside = [word for word in words if word.start_s >= start_s - 0.001 and word.end_s <= end_s + 0.001]
        spoken = " ".join(word.text for word in inside)
        yield Hit(
            source=Source.LIBRARY,
            slug=f"{safe_slug(film.title, 'film')[:60]}-{round(start_s * 1000):07d}-{round(end_s * 1000):07d}-{film.media_id[:8]}",
            title=film.title,
            spoken=spoken,
            script="",
            duration_s=end_s - start_s,
            film=FilmFacts(title=film.title, year=film.year, language=transcript.language),
            cues=tuple(Cue(round(word.start_s - start_s, 3), round(word.end_s - start_s, 3), word.text) for word in inside),
            film_media_id=film.media_id,
            start_s=start_s,
            end_s=end_s,
            is_demo=film.is_demo,
        )
