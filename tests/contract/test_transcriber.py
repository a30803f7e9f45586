"""What every transcriber promises: captions, faster-whisper alone and packed (a tiny model of random weights), OpenAI's wire format
against a loopback server, the fake, and some of them aligned.
"""

from __future__ import annotations

import pickle
import shlex
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
from core.adapters.call_ledger_fake import FakeLedger
from core.adapters.openai_server import OpenAIServer
from core.adapters.packed_recognition import PackedTranscriber
from core.adapters.sound_av import SAMPLE_RATE_HZ
from core.adapters.transcriber_aligned import AlignedTranscriber
from core.adapters.transcriber_captions import CaptionsTranscriber
from core.adapters.transcriber_fake import FakeTranscriber
from core.adapters.transcriber_openai import OpenAITranscriber
from core.adapters.transcriber_whisper import HallucinationLimits, WhisperTranscriber, find_model
from core.adapters.voice_espeak import speak
from core.errors import ModelMissing, NotFound, Refused, UnsupportedMedia, WordreelError
from core.model.transcripts import Cue, TimedBy
from core.ports import Recognition, Transcriber
from tests.loopback.openai import KEY, LoopbackOpenAI
from tests.models.spoken_truth import music, require_media, write_wav
from tests.models.tiny_whisper import build_tiny_whisper

KINDS = ["captions", "fake", "whisper", "packed", "openai", "aligned_captions", "aligned_fake", "aligned_openai"]
ANYTHING = HallucinationLimits(no_speech_prob=2.0, min_logprob=-99.0, max_compression_ratio=999.0)
LINE = "The curious traveller described an enormous bridge."


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_whisper(tmp_path_factory.mktemp("models") / "tiny-random")


@pytest.fixture
def loopback() -> Iterator[LoopbackOpenAI]:
    with LoopbackOpenAI(hear=hear_spoken) as running:
        yield running


@pytest.fixture(params=KINDS)
def transcriber(request: pytest.FixtureRequest, tiny_path: Path) -> Iterator[Transcriber]:
    kind = request.param.removeprefix("aligned_")
    inner: Transcriber
    if kind == "openai":
        server = OpenAIServer(KEY, request.getfixturevalue("loopback").url)
        inner = OpenAITranscriber(server, FakeLedger())
    else:
        inner = {
            "captions": CaptionsTranscriber,
            "fake": FakeTranscriber,
            "whisper": lambda: WhisperTranscriber(str(tiny_path)),
            "packed": lambda: PackedTranscriber(WhisperTranscriber(str(tiny_path))),
        }[kind]()
    yield AlignedTranscriber(inner, PocketSphinxAligner()) if kind != request.param else inner
    if kind == "openai":
        server.close()


def hear_spoken(data: bytes) -> dict:
    """What the loopback server hears in the spoken line; the credit line in the four seconds without speech."""
    words, at = [], 0.2
    for text in LINE.rstrip(".").split():
        words.append({"word": text, "start": at, "end": at + 0.05 * len(text)})
        at += 0.05 * len(text)
    said = {"id": 0, "start": 0.0, "end": at, "text": " " + LINE, "avg_logprob": -0.2, "no_speech_prob": 0.01, "compression_ratio": 1.0}
    if len(data) == 4 * SAMPLE_RATE_HZ * 2 + 44:
        words = [{"word": text, "start": float(n), "end": n + 0.9} for n, text in enumerate(["Thanks", "for", "watching!"])]
        said |= {"text": " Thanks for watching!", "end": 3.5, "avg_logprob": -0.9, "no_speech_prob": 0.4}
    return {"text": said["text"].strip(), "duration": 4.0, "words": words, "segments": [said]}


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    line = speak(LINE)
    return write_wav(tmp_path / "spoken.wav", line.pcm, line.sample_rate_hz)


def check_shape(recognition: Recognition, transcriber: Transcriber) -> None:
    assert (recognition.engine, recognition.model, recognition.language) == (transcriber.engine, transcriber.model, "en")
    assert all(w.text.strip() == w.text and w.text for w in recognition.words)
    assert all(0 <= w.start_s <= w.end_s for w in recognition.words)
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in pairwise(recognition.words))
    assert all(w.probability is None or 0 <= w.probability <= 1 for w in recognition.words)


def test_speech(transcriber: Transcriber, spoken: Path) -> None:
    recognition = transcriber.transcribe(spoken, language="en", known_cues=[Cue(0.1, 3.4, LINE)])
    check_shape(recognition, transcriber)
    if transcriber.engine == "faster_whisper":
        return  # random weights hear nothing
    assert [w.text.strip(".") for w in recognition.words] == LINE.strip(".").split()
    assert recognition.is_verified_by_audio is (transcriber.engine != "captions")
    assert {w.probability for w in recognition.words} == ({0.95} if transcriber.engine == "fake" else {None})


@pytest.mark.parametrize("sound", ["silence", "music"])
def test_silence_and_music_give_no_words_and_a_note(transcriber: Transcriber, tmp_path: Path, sound: str) -> None:
    pcm = np.zeros(4 * SAMPLE_RATE_HZ, np.int16)
    if sound == "music":
        pcm = (music(len(pcm)) * 2500).astype(np.int16)
    recognition = transcriber.transcribe(write_wav(tmp_path / "x.wav", pcm), language="en", known_cues=())
    check_shape(recognition, transcriber)
    assert recognition.words == () and recognition.text == "" and recognition.notes
    if transcriber.engine == "faster_whisper":
        assert any(note.startswith(sound) for note in recognition.notes)


def test_can_be_sent_to_another_process(transcriber: Transcriber) -> None:
    if transcriber.engine == "openai":  # it decodes nothing: it stays in the worker, where the ledger is
        with pytest.raises(TypeError):
            pickle.dumps(transcriber)
        return
    assert pickle.loads(pickle.dumps(transcriber)) == transcriber


def test_whisper_words_carry_the_models_own_probability(tiny_path: Path, spoken: Path) -> None:
    transcriber = WhisperTranscriber(str(tiny_path), limits=ANYTHING)
    recognition = transcriber.transcribe(spoken, language="en", known_cues=())
    check_shape(recognition, transcriber)
    assert transcriber.model == "tiny-random" and recognition.is_verified_by_audio
    assert recognition.words
    assert all(w.probability is not None and w.timed_by is TimedBy.RECOGNITION for w in recognition.words)


def test_whisper_without_its_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="'small.en' is not on this machine") as caught:
        find_model("small.en")
    assert "480 MB" in caught.value.hint
    code = 'from faster_whisper import download_model; download_model("small.en")'
    assert shlex.join([sys.executable, "-c", code]) in caught.value.hint
    with pytest.raises(ModelMissing, match="no CTranslate2 model"):
        find_model(str(tmp_path))


@pytest.mark.parametrize("name", ["model.pt", "pytorch_model.bin", "model.bin"])
def test_a_pickled_model_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(Refused, match="pickled model"):
        find_model(str(tmp_path))
    with pytest.raises(Refused, match="pickled model"):
        find_model(str(tmp_path / name))


def test_fake_follows_its_script(spoken: Path) -> None:
    from core.adapters.transcriber_fake import _media_id

    media_id = _media_id(spoken)
    wanted = Recognition("x", "y", "en", "hi", (), (), True, ("scripted",))
    assert FakeTranscriber({media_id: wanted}).transcribe(spoken, language="en", known_cues=()).notes == ("scripted",)
    with pytest.raises(WordreelError, match="broken"):
        FakeTranscriber({media_id: WordreelError("broken")}).transcribe(spoken, language="en", known_cues=())
    with pytest.raises(NotFound):
        FakeTranscriber({media_id: wanted}).transcribe(spoken.with_name("none"), language="en", known_cues=())


def test_a_film_without_sound() -> None:
    film = require_media() / "video" / "popeye_T00-1.mkv"
    cues = [Cue(1.0, 2.0, "Let me go!")]
    aligned = AlignedTranscriber(CaptionsTranscriber(), PocketSphinxAligner())
    recognition = aligned.transcribe(film, language="en", known_cues=cues)
    assert {w.fault for w in recognition.words} == {"no_sound"} and "no sound" in recognition.notes[-1]
    with pytest.raises(UnsupportedMedia):
        PocketSphinxAligner().align(film, recognition.words, language="en")


def test_another_language_is_not_aligned_and_says_so(spoken: Path) -> None:
    aligned = AlignedTranscriber(CaptionsTranscriber(), PocketSphinxAligner())
    recognition = aligned.transcribe(spoken, language="de", known_cues=[Cue(0, 2, "Guten Tag")])
    assert all(w.timed_by is TimedBy.CAPTION for w in recognition.words) and "alignment_refused" in recognition.notes[-1]
