"""Reads what ClipCafe answers, without trusting any of it, and keeps no key.

Source: ClipCafe's contract: every field can be null, missing or empty; the raw names differ from those of older metadata files, and
both are read; `transcript` is the script, ` | `, and what is spoken.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from core.errors import BadAnswer
from core.model.clips import FilmFacts, Hit, Source
from core.model.transcripts import Cue
from core.rules.cues import spoken_text
from core.rules.matching import tokenize

MAX_SLUG_CHARS = 200
MAX_TEXT_CHARS = 20_000
MAX_FACT_CHARS = 2_000
MAX_CUES = 500

FACTS: Mapping[str, tuple[str, ...]] = {
    "clip_id": ("clipID", "clip_id"),
    "resolution": ("resolution",),
    "views": ("views",),
    "likes": ("likes",),
    "date_added": ("date_added",),
    "plot": ("movie_plot",),
    "imdb_score": ("movie_imdbscore",),
    "actors": ("actors",),
    "characters": ("characters",),
    "season": ("season",),
    "episode": ("episode",),
    "thumbnail": ("thumbnail-16x9", "thumbnail-full"),
}
"""What is kept beside the hit's own fields → its names at ClipCafe, the better one first."""

READ_NAMES = frozenset(
    {
        "title", "clip_title", "slug", "clip_slug", "transcript", "subtitles", "duration", "duration_seconds", "movie_title", "movie_year",
        "movie_director", "movie_language", "movie_rated", "imdb", "imdb_id",
        *(name for names in FACTS.values() for name in names),
    }
)  # fmt: skip
LINK_NAMES = ("download", "download_url")

_NOTHING = frozenset({"", "n/a", "na", "null", "none", "undefined", "-", "unknown"})
_NO_TITLE = frozenset({"", "n/a", "null", "undefined"})
"""There are films called “Unknown” and “None”."""
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BAD_IN_SLUG = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_SECRET_QUERY = re.compile(r"(?i)(?<=[?&;])(?:amp;)?(?:api[_-]?key|key|token|signature|sig)=[^&#\s\"'<>]*&?")
_HALVES = re.compile(r"\s\|(?:\s|$)|^\|\s")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer to a search."""

    sources: tuple[Mapping[str, object], ...]
    """Each hit's own fields, as they came."""
    n_total: int | None
    """How many there are in all, where it says so."""


def read_refusal(body: bytes) -> str:
    """What an answer other than 200 says, for people: its words with a full stop, else its object as it came; empty for a web page."""
    raw = body[:MAX_FACT_CHARS].decode("utf-8", "replace") if body[:1] == b"{" else ""
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    says = next((told[name].strip() for name in ("error", "message") if isinstance(told.get(name), str)), "")
    return (says if says.endswith((".", "!", "?")) else f"{says}.") if says else raw


def read_page(answer: object) -> Page:
    """Raises: BadAnswer for what is not an answer to a search. An answer without hits is a page of none."""
    hits = answer.get("hits") if isinstance(answer, dict) else None
    rows = hits.get("hits") if isinstance(hits, dict) else None
    if not isinstance(hits, dict) or not isinstance(rows, list):
        raise BadAnswer("It has no list of hits.")
    sources = tuple(_own_fields(row) for row in rows)
    total = hits.get("total")
    n_total = _number(total.get("value") if isinstance(total, dict) else total)
    return Page(sources, None if n_total is None else int(n_total))


def _own_fields(row: object) -> Mapping[str, object]:
    fields = row.get("_source", row) if isinstance(row, dict) else {}
    return fields if isinstance(fields, dict) else {}


def read_link(raw: Mapping[str, object]) -> str:
    """The download link, with its keys: for memory alone. Empty where there is none, or only `N/A`."""
    named = (raw.get(name) for name in LINK_NAMES)
    return next((value.strip() for value in named if isinstance(value, str) and value.strip().casefold() not in _NOTHING), "")


def read_slug(raw: Mapping[str, object]) -> str:
    """ClipCafe's own name of the clip, or empty where it has none that can be kept."""
    named = (raw.get(name) for name in ("slug", "clip_slug"))
    slug = next((value.strip() for value in named if isinstance(value, str) and value.strip()), "")
    return "" if len(slug) > MAX_SLUG_CHARS or _BAD_IN_SLUG.search(slug) else slug


def kept_fields(raw: Mapping[str, object], secrets: Sequence[str]) -> dict[str, object]:
    """What of a hit may be stored: the fields that are read, without links to download and without keys."""
    return {name: without_secrets(value, secrets) for name, value in raw.items() if name in READ_NAMES and value is not None}


def without_secrets(value: object, secrets: Sequence[str]) -> object:
    """The same value with every key taken out of its texts: query parameters that carry one, and the secrets themselves.

    A number that JSON has no word for (NaN, infinity) is None, so that every database can keep it.
    """
    if isinstance(value, str):
        return plain_of_secrets(value, secrets)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {plain_of_secrets(str(name), secrets): without_secrets(inner, secrets) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_secrets(inner, secrets) for inner in value]
    return value


def plain_of_secrets(text: str, secrets: Sequence[str]) -> str:
    """The text without keys."""
    text = _UNPRINTABLE.sub("", text)
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return re.sub(r"[?&]+(?=$|[\s#\"'<>])", "", _SECRET_QUERY.sub("", text)) if "=" in text else text


def parse_hit(raw: Mapping[str, object]) -> tuple[Hit | None, tuple[str, ...]]:
    """One hit, and a sentence for each field that was not as it should be.

    None without a slug: the clip could be neither told apart nor fetched. Unknown is empty; a duration that is not known is the last
    cue's end, else 0.
    """
    slug, problems = read_slug(raw), []
    if not slug:
        return None, (f"A hit without a usable slug was left out: {_text(raw, 'title', 'clip_title')[:60]!r}.",)
    cues, cue_problem = parse_cues(raw.get("subtitles"))
    if cue_problem:
        problems.append(f"{slug}: {cue_problem}")
    script, spoken = split_transcript(_long_text(raw.get("transcript")), cues)
    duration_s = _number(_first(raw, "duration", "duration_seconds"))
    if duration_s is None or duration_s <= 0:
        problems.append(f"{slug}: no duration.")
        duration_s = cues[-1].end_s if cues else 0.0
    metadata = {name: fact for name, names in FACTS.items() if (fact := _fact(_first(raw, *names)))}
    if "resolution" in metadata:
        metadata["resolution"] = re.sub(r"\s*[x×*]\s*|\s+", "x", metadata["resolution"])
    hit = Hit(
        source=Source.CLIPCAFE,
        slug=slug,
        title=_fact(_first(raw, "title", "clip_title"), _NO_TITLE) or slug,
        spoken=spoken,
        script=script,
        duration_s=duration_s,
        film=_film(raw),
        cues=cues,
        end_s=duration_s,
        metadata=metadata,
    )
    return hit, tuple(problems)


def _film(raw: Mapping[str, object]) -> FilmFacts:
    imdb = _text(raw, "imdb", "imdb_id")
    known = re.search(r"tt\d{5,10}", imdb)
    return FilmFacts(
        title=_fact(raw.get("movie_title"), _NO_TITLE),
        year=parse_year(raw.get("movie_year")),
        rating=_text(raw, "movie_rated"),
        director=_text(raw, "movie_director"),
        imdb_id=known[0] if known else "",
        language=_text(raw, "movie_language"),
    )


def parse_year(value: object) -> int | None:
    """The year in a number or a text (`1994`, `"1994"`, `"2011–2019"`), or None."""
    text = str(int(value)) if isinstance(value, float) and math.isfinite(value) else str(value)
    found = re.search(r"(?<!\d)(?:18[89]\d|19\d\d|20\d\d)(?!\d)", text) if not isinstance(value, bool) else None
    return int(found[0]) if found else None


def split_transcript(text: str, cues: Sequence[Cue]) -> tuple[str, str]:
    """(script, what is spoken). Without a dividing bar only the cues say what is spoken.

    Where several bars could divide, the one behind which the cues' words stand; else the last.
    """
    told = " ".join(filter(None, (spoken_text(cue.text) for cue in cues)))
    bars = list(_HALVES.finditer(text))
    if not bars:
        return text, told
    bar = bars[-1]
    if told and len(bars) > 1:
        wanted = tokenize(told)
        bar = next((one for one in bars if tokenize(spoken_text(text[one.end() :])) == wanted), bar)
    return text[: bar.start()].strip(), spoken_text(text[bar.end() :]) or told


def parse_cues(value: object) -> tuple[tuple[Cue, ...], str]:
    """The cues of `subtitles`, a JSON text (or already an object), by time; and what was wrong with it, or nothing."""
    if isinstance(value, str):
        if value.strip().casefold() in _NOTHING:
            return (), ""
        try:
            value = json.loads(value[: 50 * MAX_TEXT_CHARS])
        except (ValueError, RecursionError):
            return (), "its subtitles are not JSON."
    if value is None or value in ({}, []):
        return (), ""
    rows = value.values() if isinstance(value, dict) else value
    if not isinstance(rows, Iterable):
        return (), "its subtitles are no list."
    cues, n_bad = [], 0
    for row in list(rows)[:MAX_CUES]:
        cue = _cue(row)
        if cue is None:
            n_bad += 1
        else:
            cues.append(cue)
    cues.sort(key=lambda cue: (cue.start_s, cue.end_s))
    return tuple(cues), f"{n_bad} of its subtitles cannot be read." if n_bad else ""


def _cue(row: object) -> Cue | None:
    if not isinstance(row, dict):
        return None
    start_s, end_s = _number(row.get("TimeStart")), _number(row.get("TimeEnd"))
    text = _long_text(row.get("Text"))
    if start_s is None or end_s is None or start_s < 0 or end_s <= start_s or not text:
        return None
    return Cue(start_s, end_s, text)


def _number(value: object) -> float | None:
    """A finite number, of a number or a text; `0:04.25` is seconds with minutes before."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
    elif isinstance(value, str) and (match := re.fullmatch(r"(?:(?:(\d{1,2}):)?(\d{1,2}):)?(\d{1,9}(?:[.,]\d{1,9})?)", value.strip())):
        number = int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + float(match[3].replace(",", "."))
    else:
        return None
    return number if math.isfinite(number) else None


def _first(raw: Mapping[str, object], *names: str) -> object:
    """The first of these fields that says something."""
    return next((value for name in names if (value := raw.get(name)) not in (None, "", [], {})), None)


def _text(raw: Mapping[str, object], *names: str) -> str:
    return _fact(_first(raw, *names))


def _fact(value: object, nothing: Set[str] = _NOTHING) -> str:
    """One line for a short field: entities read, lists joined, a trailing comma taken off, `N/A` and the like (`nothing`) empty."""
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("[") and text.endswith("]"):
        try:
            value = json.loads(text.replace("'", '"'))
        except (ValueError, RecursionError):
            value = text[1:-1]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        value = ", ".join(filter(None, (_fact(item, nothing) for item in value[:50] if not isinstance(item, dict | list))))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or isinstance(value, bool):
        return ""
    line = " ".join(_entities_read(str(value)[:MAX_FACT_CHARS]).split()).strip(" ,;")
    return "" if line.casefold() in nothing else line


def _long_text(value: object) -> str:
    """A text of several sentences on one line; strong language stays as it is."""
    if isinstance(value, list):
        value = " ".join(item for item in value if isinstance(item, str))
    return " ".join(_entities_read(value[:MAX_TEXT_CHARS]).split()) if isinstance(value, str) else ""


def _entities_read(text: str) -> str:
    """`&amp;#39;` is an apostrophe too."""
    return _UNPRINTABLE.sub("", html.unescape(html.unescape(text)))
