"""Captions: reading and writing SRT and WebVTT, and what of a caption's text is spoken.

Why not a library: `docs/decisions/0006-captions.md`. Sources: the WebVTT recommendation of the W3C; SRT has none, so that
what real files hold is read: any mix of BOM, line ends, missing numbers and missing blank lines.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from core.model.transcripts import Cue

MAX_PROBLEMS = 50
MAX_NESTED = 8
"""Directions within directions that are looked for: to look until none is left takes time by the square of their depth."""

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"^\s*{_TIME}\s*-{{2,3}}>\s*{_TIME}(?:\s.*)?$")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|</>|<\d[\d:.]*>|\{\\[^{}]*\}|\{/?[biu]\}")
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_VTT_BLOCKS = ("NOTE", "STYLE", "REGION", "X-TIMESTAMP-MAP")

_DIRECTION = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|（[^（）]*）|【[^【】]*】|\*[^*\n]{1,60}\*")
_MUSIC = re.compile("[♩♪♫♬#]{1,}(?=\\s|$)|(?:^|(?<=\\s))[♩♪♫♬#]+|[♩♪♫♬]")
_DASH = re.compile(r"^\s*(?:[-‐‑–—−]+|>>+)\s*(?=\S)")
_SPEAKER = re.compile(r"^\s*((?:[A-Z][\w.'’&-]*|\#?\d+)(?:\s+(?:[A-Z][\w.'’&-]*|\#?\d+|of|the|and|de|von|van)){0,3})\s*:(?=\s|$)")
_OPENERS = frozenset(
    {
        "remember", "listen", "look", "note", "warning", "question", "answer", "result", "fact", "rule", "first", "second", "third",
        "example", "yes", "no", "and", "but", "so", "now", "okay", "ok", "well", "then", "because", "finally", "why", "how", "what",
        "who", "when", "where", "think", "imagine", "wait", "please", "never", "always", "problem", "solution", "truth", "point",
    }
)  # fmt: skip
"""Capitalised words that open a sentence with a colon and name nobody."""


def parse_captions(data: bytes, name: str) -> tuple[tuple[Cue, ...], tuple[str, ...]]:
    """Read SRT or WebVTT, told apart by content; cues in order of time, with markup removed and stage directions kept.

    Never raises: what cannot be read is reported and the rest is taken.

    Args:
        data: the file's bytes: UTF-8, UTF-16, or Windows-1252 (which is reported), BOM or not, any line ends.
        name: for the messages.

    Returns:
        The cues, and a sentence for every block or line that was not taken as it stood, with its line number.
    """
    text, problems = _decode(data, name)
    lines = re.split(r"\r\n|\r|\n|\u0085|\u2028|\u2029", text.replace("\x00", ""))
    is_vtt = bool(lines) and lines[0].lstrip("\ufeff").startswith("WEBVTT")
    cues: list[Cue] = []
    for number, times, body in _blocks(lines, is_vtt, name, problems):
        start_s, end_s = times
        cleaned = _clean("\n".join(body))
        if end_s <= start_s:
            problems.append(f"{name}, line {number}: the caption ends before it starts; left out.")
        elif cleaned:
            cues.append(Cue(start_s, end_s, cleaned))
    if any(later.start_s < earlier.start_s for earlier, later in pairwise(cues)):
        problems.append(f"{name}: captions are not in order of time; sorted.")
        cues.sort(key=lambda cue: (cue.start_s, cue.end_s))
    if not cues and not problems and text.strip() and not is_vtt:
        problems.append(f"{name}: no caption found.")
    if len(problems) > MAX_PROBLEMS:
        problems[MAX_PROBLEMS:] = [f"{name}: and {len(problems) - MAX_PROBLEMS} more problems."]
    return tuple(cues), tuple(problems)


def write_srt(cues: Iterable[Cue]) -> str:
    """SRT text, LF line ends. Times are rounded to milliseconds; blank lines inside a cue are dropped."""
    blocks = []
    for number, cue in enumerate(cues, start=1):
        text = _one_block(cue.text).replace("-->", "-- >")
        blocks.append(f"{number}\n{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}\n{text}\n")
    return "\n".join(blocks)


def write_vtt(cues: Iterable[Cue]) -> str:
    """WebVTT text, LF line ends; `&`, `<` and `>` are escaped."""
    blocks = ["WEBVTT\n"]
    for cue in cues:
        text = html.escape(_one_block(cue.text), quote=False).replace("{", "&lbrace;")
        blocks.append(f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}\n{text}\n")
    return "\n".join(blocks)


def spoken_text(text: str) -> str:
    """What of a caption is said: without `[stage directions]`, `(sounds)`, `Speaker:`, dashes of dialogue and music notes.

    The words of a song stay: they are sung. One line, single spaces; empty when nothing is said.
    """
    for _ in range(MAX_NESTED):
        text = _DIRECTION.sub(" ", text)
    said = []
    for line in text.split("\n"):
        line = _DASH.sub("", _MUSIC.sub(" ", line))
        line = _DASH.sub("", _without_speaker(line))
        said.append(line.strip(" \t[]"))
    return " ".join(" ".join(said).split())


def spoken_cues(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """The cues with only what is said in them; those in which nothing is said are left out."""
    return tuple(replace(cue, text=said) for cue in cues if any(map(str.isalnum, said := spoken_text(cue.text))))


def _without_speaker(line: str) -> str:
    match = _SPEAKER.match(line)
    if match is None:
        return line
    name = match[1]
    is_name = name.upper() == name or name.split()[0].casefold().strip(".") not in _OPENERS
    return line[match.end() :] if is_name and len(name) <= 40 else line


def _decode(data: bytes, name: str) -> tuple[str, list[str]]:
    for bom, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(bom):
            return data.decode(encoding, "replace"), []
    head = data[:2000]
    if head.count(0) > len(head) // 4:
        return data.decode("utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be", "replace"), []
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace"), [f"{name}: not UTF-8; read as Windows-1252."]


def _blocks(lines: list[str], is_vtt: bool, name: str, problems: list[str]) -> Iterator[tuple[int, tuple[float, float], list[str]]]:
    """Line number, times and text lines of each cue."""
    at = 1 if is_vtt else 0
    is_header = is_vtt
    while at < len(lines):
        line = lines[at]
        match = _TIMING.match(line)
        if match is None:
            if not line.strip():
                is_header = False
            elif is_vtt and line.startswith(_VTT_BLOCKS):
                at = _end_of_block(lines, at)
            elif "-->" in line:
                problems.append(f"{name}, line {at + 1}: {line.strip()[:60]!r} is not a time; the caption was left out.")
                at = _end_of_block(lines, at)
            elif not (is_header or line.strip().isdigit() or _is_identifier(lines, at)):
                problems.append(f"{name}, line {at + 1}: {line.strip()[:60]!r} stands outside a caption; left out.")
            at += 1
            continue
        is_header = False
        number, times = at + 1, (_seconds(match.groups()[:4]), _seconds(match.groups()[4:]))
        end = _end_of_block(lines, at)
        yield number, times, lines[at + 1 : end]
        at = end


def _is_identifier(lines: list[str], at: int) -> bool:
    return at + 1 < len(lines) and "-->" in lines[at + 1]


def _end_of_block(lines: list[str], at: int) -> int:
    """Index of the blank line, or of the number or time of the next cue where the blank line is missing."""
    end = at + 1
    while end < len(lines) and lines[end].strip():
        if _TIMING.match(lines[end]):
            return end
        if lines[end].strip().isdigit() and end + 1 < len(lines) and _TIMING.match(lines[end + 1]):
            return end
        end += 1
    return end


def _seconds(groups: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = groups
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + int((fraction or "0").ljust(3, "0")) / 1000


def _stamp(moment_s: float, mark: str) -> str:
    milliseconds = max(0, round(moment_s * 1000))
    return f"{milliseconds // 3_600_000:02}:{milliseconds // 60_000 % 60:02}:{milliseconds // 1000 % 60:02}{mark}{milliseconds % 1000:03}"


def _clean(text: str) -> str:
    text = _MARKUP.sub("", text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " "))
    return _one_block(_INVISIBLE.sub("", html.unescape(text)))


def _one_block(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)
