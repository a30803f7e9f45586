"""OpenAI's `whisper-1` (or a compatible server's) as a transcriber: the clip's own file is sent, and paid by the minute.

It tells no probability of a word, so words have none. What it says where nobody speaks is dropped by the same rule as on this machine.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters.openai_server import OpenAIServer
from core.errors import BadAnswer, NotFound, ProviderUnavailable, UnsupportedMedia
from core.model.calls import Answer, PaidCall, Usage
from core.model.transcripts import Cue, Segment, TimedBy, WordTiming
from core.ports import CallLedger, Recognition
from core.rules.hallucinations import HallucinationLimits, SegmentSigns, dropped_note, why_unsaid
from core.rules.prices import ModelPrice, cost_usd, find_price, price_table
from core.rules.safe_names import safe_slug
from core.rules.word_timing import is_sayable, repair_order

if TYPE_CHECKING:
    from openai import OpenAI

MAX_FILE_BYTES = 25 * 1024 * 1024
"""What the server takes in one request. Source: https://platform.openai.com/docs/guides/speech-to-text."""

UNTOLD_S = 15.0
"""Taken for the length of a file that does not state it: the longest clip that is searched for."""
MAX_CLIP_S = 3_600.0
"""Longer than anything of 25 MiB is; what a broken header says is not believed beyond."""

OPERATION = "transcribe"
REQUEST_VERSION = "1"
"""Stands in the ledger where a judge has its prompt's version."""

_SIGNS = ("no_speech_prob", "avg_logprob", "compression_ratio")


class OpenAITranscriber:
    """`ports.Transcriber` over a server; every call goes through the ledger. Safe to share between threads.

    Args:
        name_of: the clip's own name, under which a file is sent; media lie here by their content. Empty: the file's name.
    """

    engine = "openai"

    def __init__(
        self,
        server: OpenAIServer,
        ledger: CallLedger,
        *,
        model: str = "whisper-1",
        limits: HallucinationLimits | None = None,
        prices: Callable[[], Mapping[str, ModelPrice]] = price_table,
        name_of: Callable[[Path], str] = lambda path: path.stem,
    ) -> None:
        self.model = model
        self._server = server
        self._ledger = ledger
        self._name_of = name_of
        self._limits = limits or HallucinationLimits()
        self._prices = prices

    def transcribe(self, media_path: Path, *, language: str, known_cues: Sequence[Cue]) -> Recognition:
        """Recognise one clip, MP4 or WAV, of at most 25 MiB. `known_cues` are not sent: a prompted model hears its prompt.

        Segments that nobody said are dropped and noted, with their words.
        Raises: NotFound; UnsupportedMedia (too large, another container); BadAnswer (text without times; kept); what the ledger
        and the server raise.
        """
        data, suffix = _read_file(media_path)
        code = language.split("-")[0].lower()
        question = f"{hashlib.sha256(data).hexdigest()} {code}"
        expected_usd = cost_usd(Usage(audio_s=_stated_s(data)), find_price(self.model, self._prices())) or 0.0
        call = PaidCall(self._server.name, OPERATION, self.model, REQUEST_VERSION, question, expected_usd)
        name = safe_slug(self._name_of(media_path) or media_path.stem) + suffix
        answer = self._ledger.call(call, lambda: self._perform(data, name, code))
        return self._recognition(answer, language)

    def _perform(self, data: bytes, name: str, language: str) -> Answer:
        given = self._server.ask(lambda client: _send(client, self.model, data, name, language), self.model)
        if not isinstance(given.body.get("text"), str):
            raise ProviderUnavailable(
                f"{self._server.host} answered 200 with JSON that is no transcript.",
                hint="Check OPENAI_BASE_URL.",
                provider=self._server.name,
                model=self.model,
                request_id=given.request_id,
            )
        body = {field: _clean(given.body.get(field)) for field in ("text", "language", "duration", "segments", "words")}
        usage = Usage(audio_s=_heard_s(given.body))
        return Answer(body, cost_usd=cost_usd(usage, find_price(self.model, self._prices())), request_id=given.request_id)

    def _recognition(self, answer: Answer, language: str) -> Recognition:
        body: Mapping[str, Any] = answer.body if isinstance(answer.body, dict) else {}
        duration_s = _seconds(body.get("duration"))
        words, n_broken = _words(body.get("words"))
        if not words and isinstance(body.get("text"), str) and is_sayable(body["text"]) and not body.get("words"):
            raise BadAnswer(
                f"{self.model} gave text without the times of its words.",
                hint="The answer was paid and is kept. This server or model gives no word times: set TRANSCRIBER to whisper or captions.",
                provider=self._server.name,
                model=self.model,
                request_id=answer.request_id,
            )
        segments = _segments(body.get("segments"), words)
        limit_s = math.inf if duration_s is None else duration_s
        reasons = [why_unsaid(signs, self._limits, limit_s) for signs in segments]
        notes = [dropped_note(reason, signs.start_s, signs.text) for signs, reason in zip(segments, reasons, strict=True) if reason]
        kept = [signs for signs, reason in zip(segments, reasons, strict=True) if not reason]
        said = [word for word in words if _is_in(word, kept) and word.start_s < limit_s]
        if n_broken:
            notes.append(f"words_dropped: {n_broken} without usable times")
        if not said:
            notes.append("silence or music: no speech that could be kept")
        return Recognition(
            engine=self.engine,
            model=self.model,
            language=language or str(body.get("language") or ""),
            text=" ".join(signs.text.strip() for signs in kept) if said else "",
            segments=tuple(Segment(signs.start_s, max(signs.start_s, signs.end_s), signs.text.strip()) for signs in kept) if said else (),
            words=repair_order(said),
            is_verified_by_audio=True,
            notes=tuple(notes),
        )


def _send(client: OpenAI, model: str, data: bytes, name: str, language: str) -> Any:
    settings: dict[str, Any] = {"language": language} if language else {}
    return client.audio.transcriptions.with_raw_response.create(
        file=(name, data),
        model=model,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
        temperature=0,
        **settings,
    )


def _read_file(path: Path) -> tuple[bytes, str]:
    """The file's bytes and the ending that its content asks for. Raises: NotFound, UnsupportedMedia."""
    try:
        n_bytes = path.stat().st_size
        data = path.read_bytes() if n_bytes <= MAX_FILE_BYTES else b""
    except FileNotFoundError as error:
        raise NotFound(f"{path.name}: there is no such file.", hint="Check that the disk is mounted and the path is right.") from error
    if n_bytes > MAX_FILE_BYTES:
        hint = "Only clips are sent. Use TRANSCRIBER=whisper or captions for whole films."
        raise UnsupportedMedia(f"{path.name} has {n_bytes / 1024**2:.0f} MiB, and the recogniser takes 25.", hint=hint)
    if data[4:8] == b"ftyp":
        return data, ".mp4"
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return data, ".wav"
    raise UnsupportedMedia(f"{path.name} is neither MP4 nor WAV.", hint="Clips are fetched as MP4; fetch this one again.")


def _stated_s(data: bytes) -> float:
    """How long a file says it is (MP4's `mvhd`, WAV's byte rate), to guess the price before it is sent; 15 s where it does not say.

    Source: ISO/IEC 14496-12, 8.2.2.
    """
    if data[:4] == b"RIFF":
        byte_rate = int.from_bytes(data[28:32], "little")
        return min((len(data) - 44) / byte_rate, MAX_CLIP_S) if byte_rate else UNTOLD_S
    at = data.find(b"mvhd") + 4
    is_long = data[at : at + 1] == b"\1"  # 64-bit times
    scale_at = at + (20 if is_long else 12)
    scale = int.from_bytes(data[scale_at : scale_at + 4], "big")
    ticks = int.from_bytes(data[scale_at + 4 : scale_at + (12 if is_long else 8)], "big")
    return min(ticks / scale, MAX_CLIP_S) if at >= 4 and scale and ticks else UNTOLD_S


def _words(rows: object) -> tuple[list[WordTiming], int]:
    """The words with usable times, by time, and how many had none."""
    found: list[WordTiming] = []
    given = rows if isinstance(rows, list) else []
    for row in given:
        text = row.get("word") if isinstance(row, dict) else None
        start_s, end_s = (_seconds(row.get("start")), _seconds(row.get("end"))) if isinstance(row, dict) else (None, None)
        if isinstance(text, str) and is_sayable(text) and start_s is not None and end_s is not None:
            found.append(WordTiming(text.strip(), start_s, max(start_s, end_s), None, TimedBy.RECOGNITION))
    n_marks = sum(isinstance(row, dict) and isinstance(row.get("word"), str) and not is_sayable(row["word"]) for row in given)
    return sorted(found, key=lambda word: (word.start_s, word.end_s)), len(given) - n_marks - len(found)


def _segments(rows: object, words: Sequence[WordTiming]) -> list[SegmentSigns]:
    """What is told of each segment. A server that gives none gets one for all its words, of which nothing is told."""
    found: list[SegmentSigns] = []
    for row in rows if isinstance(rows, list) else []:
        start_s, end_s = (_seconds(row.get("start")), _seconds(row.get("end"))) if isinstance(row, dict) else (None, None)
        if start_s is None or end_s is None:
            continue
        signs = {name: _number(row.get(name)) for name in _SIGNS}
        text = row["text"] if isinstance(row.get("text"), str) else ""
        bare = SegmentSigns(text, start_s, end_s, 0, **signs)
        found.append(SegmentSigns(text, start_s, end_s, sum(_is_in(word, [bare]) for word in words), **signs))
    if not found and words:
        text = " ".join(word.text for word in words)
        found.append(SegmentSigns(text, words[0].start_s, words[-1].end_s, len(words)))
    return found


def _is_in(word: WordTiming, segments: Sequence[SegmentSigns]) -> bool:
    middle_s = (word.start_s + word.end_s) / 2
    return any(signs.start_s - 0.05 <= middle_s <= signs.end_s + 0.05 for signs in segments)


def _heard_s(body: Mapping[str, Any]) -> float | None:
    """The seconds that are paid: as its usage says, else the sound's length, else not known."""
    usage = body.get("usage")
    told = _seconds(usage.get("seconds")) if isinstance(usage, dict) else None
    return _seconds(body.get("duration")) if told is None else told


def _seconds(value: object) -> float | None:
    number = _number(value)
    return number if number is not None and 0 <= number < 86_400 else None


def _number(value: object) -> float | None:
    """A finite number; some servers send figures as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and -1e9 < value < 1e9 else None  # type: ignore[operator,arg-type]


def _clean(value: Any) -> Any:
    """Plain JSON that every store can carry: no NaN, NUL or lone surrogate; of a row only what is read later."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {name: _clean(value.get(name)) for name in ("word", "text", "start", "end", *_SIGNS) if name in value}
    return value
