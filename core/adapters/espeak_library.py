"""The espeak-ng library from the `espeakng-loader` wheel, through ctypes: speech with exact word times, and phonemes.

espeak-ng keeps global state, so every call holds one lock. Source of the constants and of the event structure:
`speak_lib.h` of espeak-ng 1.52.
"""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from functools import lru_cache

from core.errors import ModelMissing, ProviderError

MAX_DATA_PATH_BYTES = 150
"""espeak-ng keeps its data path in a buffer of 160 bytes; a longer one is cut without a word."""

RANDOM_SEED = 1
"""espeak-ng shakes its voice a little; with a fixed seed a process that makes the same calls in the same order gets the same samples."""

EVENT_END_OF_LIST = 0
EVENT_WORD = 1
EVENT_SENTENCE = 2
EVENT_PHONEME = 7

_OUTPUT_SYNCHRONOUS = 2
_WITH_PHONEME_EVENTS = 0x0001
_DO_NOT_EXIT = 0x8000
_CHARS_UTF8 = 1
_PARAMETER_RATE = 1
_PARAMETER_PITCH = 3
_PHONEMES_AS_IPA = 0x02
_IPA_SEPARATOR = ord("_") << 8

_LOCK = threading.RLock()


class _EventId(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """One mark that espeak-ng sets while it speaks."""

    type: int
    """`EVENT_WORD`, `EVENT_SENTENCE` or `EVENT_PHONEME`; others are dropped."""
    text_index: int
    """0-based index of the character that is being said."""
    sample: int
    """0-based sample at which it begins."""
    phoneme: str = ""
    """espeak-ng's own mnemonic; `_`, `_:` and the like are pauses."""

    @property
    def is_pause(self) -> bool:
        return self.type == EVENT_PHONEME and (not self.phoneme or self.phoneme.startswith("_"))


@dataclass(frozen=True, slots=True)
class Synthesis:
    """What came out of one call: signed 16-bit mono samples in the machine's byte order, and the marks in order."""

    pcm: bytes
    sample_rate_hz: int
    events: tuple[SpeechEvent, ...]


class EspeakLibrary:
    """The loaded library; take it from `load_espeak`. Lives as long as the process."""

    def __init__(self, library: ctypes.CDLL, sample_rate_hz: int) -> None:
        self._library = library
        self._sample_rate_hz = sample_rate_hz
        self._chunks: list[bytes] = []
        self._events: list[SpeechEvent] = []
        self._callback = _CALLBACK(self._collect)
        library.espeak_SetSynthCallback(self._callback)

    def synthesize(self, text: str, *, voice: str, rate_wpm: int, pitch: int = 50) -> Synthesis:
        """Speak `text` at 80 to 450 words a minute. Raises: ProviderError."""
        data = _clean(text).encode("utf-8", "replace")
        with _LOCK:
            self._set_voice(voice)
            self._library.espeak_ng_SetRandSeed(ctypes.c_long(RANDOM_SEED))
            self._library.espeak_SetParameter(_PARAMETER_RATE, int(rate_wpm), 0)
            self._library.espeak_SetParameter(_PARAMETER_PITCH, int(pitch), 0)
            self._chunks, self._events = [], []
            status = self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _CHARS_UTF8, None, None)
            chunks, events = self._chunks, self._events
            self._chunks, self._events = [], []
        if status != 0:
            raise ProviderError(f"espeak-ng could not speak {text[:60]!r} (status {status}).", provider="espeak-ng", model=voice)
        return Synthesis(b"".join(chunks), self._sample_rate_hz, tuple(events))

    def phonemes(self, text: str, *, voice: str) -> str:
        """The IPA of `text`, phonemes separated by `_`, words by a space. Empty when there is nothing to say."""
        data = ctypes.create_string_buffer(_clean(text).encode("utf-8", "replace"))
        spoken: list[str] = []
        with _LOCK:
            self._set_voice(voice)
            position = ctypes.c_void_p(ctypes.addressof(data))
            while position.value:
                clause = self._library.espeak_TextToPhonemes(ctypes.byref(position), _CHARS_UTF8, _PHONEMES_AS_IPA | _IPA_SEPARATOR)
                spoken.append((clause or b"").decode("utf-8", "replace"))
        return " ".join(part.strip() for part in spoken if part.strip())

    def _set_voice(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode("utf-8", "replace")) != 0:
            raise ProviderError(
                f"espeak-ng has no voice {voice!r}.",
                hint="Use one such as en-us, en-gb-x-rp or en-us+f3.",
                provider="espeak-ng",
                model=voice,
            )

    def _collect(self, samples: ctypes._Pointer[ctypes.c_short], n_samples: int, events: ctypes._Pointer[_Event]) -> int:
        if samples and n_samples > 0:
            self._chunks.append(ctypes.string_at(samples, n_samples * 2))
        index = 0
        while events[index].type != EVENT_END_OF_LIST:
            event = events[index]
            index += 1
            if event.type in (EVENT_WORD, EVENT_SENTENCE, EVENT_PHONEME):
                phoneme = event.id.string.decode("utf-8", "replace") if event.type == EVENT_PHONEME else ""
                self._events.append(SpeechEvent(event.type, event.text_position - 1, event.sample, phoneme))
        return 0


@lru_cache(maxsize=1)
def load_espeak() -> EspeakLibrary:
    """Load and start espeak-ng, once a process. Raises: ModelMissing."""
    with _LOCK:
        try:
            import espeakng_loader
        except ImportError as error:
            raise ModelMissing("The package espeakng-loader is not installed.", hint="python run.py setup", provider="espeak-ng") from error
        data_path = str(espeakng_loader.get_data_path())
        if len(data_path.encode()) > MAX_DATA_PATH_BYTES:
            raise ModelMissing(
                f"espeak-ng cannot read its data from {data_path}: the path is longer than {MAX_DATA_PATH_BYTES} bytes.",
                hint="Move Wordreel to a folder with a shorter path.",
                provider="espeak-ng",
            )
        try:
            library = ctypes.cdll.LoadLibrary(str(espeakng_loader.get_library_path()))
        except OSError as error:
            raise ModelMissing(f"espeak-ng could not be loaded: {error}", hint="python run.py setup", provider="espeak-ng") from error
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        sample_rate_hz = library.espeak_Initialize(_OUTPUT_SYNCHRONOUS, 0, data_path.encode(), _WITH_PHONEME_EVENTS | _DO_NOT_EXIT)
        if sample_rate_hz <= 0:
            raise ModelMissing(f"espeak-ng did not start with the data in {data_path}.", hint="python run.py setup", provider="espeak-ng")
        return EspeakLibrary(library, sample_rate_hz)


def _clean(text: str) -> str:
    """`text` with control characters, NUL among them, as spaces: same length, so that positions hold."""
    return "".join(" " if ord(character) < 32 or character == "\x7f" else character for character in text)
