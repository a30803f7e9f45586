"""A workspace with hundreds of clips in review, and the desk alone in a page over the real API: the queue as a curator meets it in a
good week.

Few films stand behind the many clips, so that the page's own work is what takes time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.model.clips import Clip, Evidence, EvidenceState, FilmFacts, Hit, Occurrence, ProposalStage, Scores, Source, Verdict
from core.model.media import AudioStream, MediaFacts, VideoStream
from core.model.runs import RunSettings
from core.model.transcripts import Cue, TimedBy, Transcript, WordTiming
from core.rules.word_keys import word_key
from core.services.review import QueueFilter
from core.store.clips import Judgement, propose_mapping, save_hit, save_proposals, set_clip
from core.store.media_rows import save_media, save_transcript, set_pictures
from core.store.runs import create_run
from core.store.vocabulary import save_words
from core.wiring import App
from tests.desk.server import desk_page, icons_path
from tests.loopback.api import served_api
from tests.loopback.made_films import make_film
from ui.components.desk import HERE, joined_javascript

N_FILMS = 4
DURATION_S = 2.0
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class LongQueue:
    """What waits at first."""

    app: App
    address: str
    mapping_ids: dict[tuple[int, str], int]
    """(clip, word) → mapping."""
    wanted: QueueFilter = field(default_factory=QueueFilter)
    """What the page asks for."""


@contextmanager
def long_queue(folder: Path, *, n_words: int, clips_a_word: int, every_second_word: int, n_crowded: int) -> Iterator[LongQueue]:
    """Each word with its clips; `n_crowded` words have one clip more than they want, and each so many-th clip has a second, captioned
    word."""
    with served_api(pages=_pages()) as (app, address):
        yield LongQueue(app, address, _fill(app, folder, n_words, clips_a_word, every_second_word, n_crowded))


def _pages() -> Starlette:
    def page(request: Request) -> Response:
        return HTMLResponse(desk_page(dict(request.query_params)))

    def part(request: Request) -> Response:
        return PlainTextResponse((HERE / request.url.path[1:]).read_text(encoding="utf-8"))

    def script(_: Request) -> Response:
        return Response(joined_javascript(), media_type="text/javascript")

    def icons(_: Request) -> Response:
        return FileResponse(icons_path())

    ways = {"/": page, "/desk.js": script, "/desk.html": part, "/desk.css": part, "/icons.woff2": icons}
    return Starlette(routes=[Route(path, way) for path, way in ways.items()])


def _fill(app: App, folder: Path, n_words: int, clips_a_word: int, every_second_word: int, n_crowded: int) -> dict[tuple[int, str], int]:
    films = [make_film(folder / f"film-{n}.mp4", duration_s=DURATION_S, fps=12, start_offset_s=n / 12) for n in range(N_FILMS)]
    media_ids = [app.media_files.put(path) for path in films]
    words = [spelled(n) for n in range(n_words)]
    places = [(word, n) for at, word in enumerate(words) for n in range(clips_a_word + int(at < n_crowded))]
    found: dict[tuple[int, str], int] = {}
    with app.database.write() as connection:
        for path, media_id in zip(films, media_ids, strict=True):
            save_media(connection, _facts(media_id, path), is_stored=True, is_demo=False)
            set_pictures(connection, media_id, still_id=None, peaks=[0.5] * 400)
        shelf = _Shelf(connection, media_ids)
        for place, (word, n) in enumerate(places):
            second = f"{word}ly" if place % every_second_word == 0 else ""
            found |= shelf.clip(place, word, second, relevance=0.95 - 0.3 * (n + place / len(places)) / (clips_a_word + 1))
    return found


def spelled(number: int) -> str:
    """A made-up word that is no other's beginning."""
    first, rest = divmod(number, 26)
    return f"zu{LETTERS[first]}{LETTERS[rest]}k"


def _facts(media_id: str, path: Path) -> MediaFacts:
    from fractions import Fraction

    video, audio = VideoStream("h264", 192, 108, 12.0, Fraction(1, 12)), AudioStream("aac", 48_000, 1)
    return MediaFacts(media_id, path.stat().st_size, "mp4", DURATION_S, video, audio, loudness_lufs=-20.0)


class _Shelf:
    """Puts clips in review, all in one unit of work."""

    def __init__(self, connection: Connection, media_ids: list[str]) -> None:
        self._connection = connection
        self._media_ids = media_ids
        settings = RunSettings(judge="fake", transcriber="fake")
        self._run_id = create_run(connection, name="by hand", settings=settings, word_ids=[], request_key="by hand", actor="t")

    def clip(self, place: int, word: str, second: str, *, relevance: float) -> dict[tuple[int, str], int]:
        """One clip that says its words; the second is in the caption alone."""
        key = sha256(f"clip {place}".encode()).hexdigest()
        text = f"They {word} it {second}".strip()
        timed = tuple(WordTiming(one, 0.3 + 0.3 * at, 0.5 + 0.3 * at, 0.9, TimedBy.ALIGNMENT) for at, one in enumerate(text.split()))
        film = FilmFacts(title=f"Film {place // 9}", year=1990 + place % 30)
        hit = Hit(Source.LIBRARY, f"clip-{place}", text, text, "", DURATION_S, film, (Cue(0.2, 1.8, text),), start_s=0.0, end_s=DURATION_S)
        media_id = self._media_ids[place % len(self._media_ids)]
        clip = save_hit(self._connection, hit, key)
        save_transcript(self._connection, Transcript(key, media_id, "fake", "fake", "en", text, (), timed, True))
        set_clip(self._connection, clip.clip_id, media_id=media_id, transcript_id=key)
        found = {(clip.clip_id, word): self._mapping(clip, key, word, 1, EvidenceState.HEARD, relevance)}
        if second:
            found[clip.clip_id, second] = self._mapping(clip, key, second, 3, EvidenceState.CAPTIONED, 0.65)
        return found

    def _mapping(self, clip: Clip, transcript_id: str, word: str, at: int, state: EvidenceState, relevance: float) -> int:
        word_id = save_words(self._connection, {word: ("", "")}, language="en", is_demo=False)[word_key(word)]
        shown = Occurrence(word, at, 1, 0.3 + 0.3 * at, 0.5 + 0.3 * at, 0.9 if state is EvidenceState.HEARD else None, "alignment")
        evidence = Evidence(state, (shown,), transcript_id, ("So it is.",))
        judged = Judgement(ProposalStage.FINAL, f"{transcript_id}{word}", "fake", "fake-1", "1", self._run_id)
        verdict = Verdict(word, Scores(0.8, 0.8, round(relevance, 4)), "clear", "beginner")
        made = save_proposals(self._connection, clip.clip_id, judged, [(word_id, verdict, evidence)], tokens=0, cost_usd=0.0)
        return propose_mapping(self._connection, clip, made[word_id], self._run_id)
