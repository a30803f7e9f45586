"""Captions that are inside a film."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from core.adapters.media_open import reading, zero_s
from core.adapters.media_probe import TEXT_SUBTITLES
from core.model.transcripts import Cue

if TYPE_CHECKING:
    from av.subtitles.stream import SubtitleStream

ASS_FIELDS_BEFORE_TEXT = 8
"""`ReadOrder, Layer, Style, Name, MarginL, MarginR, MarginV, Effect, Text`. Source: libavcodec's `ass_split`."""
DRAWING = re.compile(r"\{[^}]*\\p[1-9][^}]*\}.*?(?:\{[^}]*\\p0[^}]*\}|$)", re.DOTALL)
UNTIMED_CUE_S = 4.0
"""How long a cue without a duration stays, at most, until the next one."""


def read_captions(path: Path) -> tuple[Cue, ...]:
    """Cues of the first text subtitle stream in order of time, seconds from the film's first moment; nothing without one.

    Raises:
        NotFound, UnreadableMedia.
    """
    found: list[tuple[float, float, str]] = []
    with reading(path) as film:
        stream = next((s for s in film.streams.subtitles if s.codec_context is not None and s.codec_context.name in TEXT_SUBTITLES), None)
        if stream is None:
            return ()
        zero = zero_s(film)
        for packet in film.demux(stream):
            text = _packet_text(stream, packet)
            if text and packet.pts is not None and packet.time_base is not None:
                start_s = float(packet.pts * packet.time_base) - zero
                found.append((max(0.0, start_s), float((packet.duration or 0) * packet.time_base), text))
    found.sort(key=lambda cue: cue[0])
    starts = [start_s for start_s, _, _ in found[1:]] + [float("inf")]
    return tuple(
        Cue(start_s, start_s + (length_s or min(UNTIMED_CUE_S, following_s - start_s)), text)
        for (start_s, length_s, text), following_s in zip(found, starts, strict=True)
    )


def _packet_text(stream: SubtitleStream, packet: object) -> str:
    from av.subtitles.subtitle import AssSubtitle

    texts = [plain_ass_text(part.ass.decode("utf-8", "replace")) for part in packet.decode() if isinstance(part, AssSubtitle)]  # type: ignore[attr-defined]
    return "\n".join(text for text in texts if text)


def plain_ass_text(event: str) -> str:
    r"""The words of one ASS event: without its fields, override codes and drawings; `\N` is a new line."""
    fields = event.split(",", ASS_FIELDS_BEFORE_TEXT)
    text = fields[-1] if len(fields) > ASS_FIELDS_BEFORE_TEXT else event
    text = re.sub(r"\{[^}]*\}", "", DRAWING.sub("", text))
    text = re.sub(r"<[^<>]{1,60}>", "", text)
    lines = re.split(r"\\[Nn]|\r?\n", text.replace("\\h", " "))
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())
