"""Values ↔ the JSON columns that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from fractions import Fraction
from typing import Any, TypeVar

from core.model.clips import Evidence, EvidenceState, Feature, FilmFacts, Occurrence
from core.model.media import AudioStream, MediaFacts, SubtitleStream, VideoStream
from core.model.transcripts import Cue, Segment, TimedBy, WordTiming

Value = TypeVar("Value")


def to_json(value: Any) -> Any:
    """A dataclass, or a sequence of them, as plain JSON; fractions as text."""
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return _plain(asdict(value))


def _plain(item: Any) -> Any:
    if isinstance(item, Fraction):
        return str(item)
    if isinstance(item, dict):
        return {name: _plain(inner) for name, inner in item.items()}
    return [_plain(inner) for inner in item] if isinstance(item, (list, tuple)) else item


def _read(kind: type[Value], row: Mapping[str, Any]) -> Value:
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: item for name, item in row.items() if name in known})


def read_words(rows: Sequence[Mapping[str, Any]]) -> tuple[WordTiming, ...]:
    return tuple(_read(WordTiming, {**row, "timed_by": TimedBy(row["timed_by"])}) for row in rows)


def read_segments(rows: Sequence[Mapping[str, Any]]) -> tuple[Segment, ...]:
    return tuple(_read(Segment, row) for row in rows)


def read_cues(rows: Sequence[Mapping[str, Any]]) -> tuple[Cue, ...]:
    return tuple(_read(Cue, row) for row in rows)


def read_film_facts(row: Mapping[str, Any]) -> FilmFacts:
    return _read(FilmFacts, row)


def read_features(rows: Sequence[Mapping[str, Any]]) -> tuple[Feature, ...]:
    return tuple(_read(Feature, row) for row in rows)


def read_evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(
        state=EvidenceState(row["state"]),
        occurrences=tuple(_read(Occurrence, item) for item in row["occurrences"]),
        transcript_id=row["transcript_id"],
        reasons=tuple(row["reasons"]),
    )


def read_facts(row: Mapping[str, Any]) -> MediaFacts:
    video, audio = row["video"], row["audio"]
    return _read(
        MediaFacts,
        {
            **row,
            "video": _read(VideoStream, {**video, "time_base": Fraction(video["time_base"])}) if video else None,
            "audio": _read(AudioStream, audio) if audio else None,
            "subtitles": tuple(_read(SubtitleStream, item) for item in row["subtitles"]),
        },
    )
