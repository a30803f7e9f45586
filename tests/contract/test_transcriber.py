"""What every transcriber promises, over captions, faster-whisper (a tiny model of random weights), the fake, and each of them aligned."""

from __future__ import annotations

import pickle
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
from core.adapters.sound_av import SAMPLE_RATE_HZ
from core.adapters.transcriber_aligned import AlignedTranscriber
from core.adapters.transcriber_captions import CaptionsTranscriber
from core.adapters.transcriber_fake import FakeTranscriber
from core.adapters.transcriber_whisper import HallucinationLimits, WhisperTranscriber, find_model
from core.adapters.voice_espeak import speak
from core.errors import ModelMissing, NotFound, Refused, UnsupportedMedia, WordreelError
from core.model.transcripts import Cue, TimedBy
from core.ports import Recognition, Transcriber
from tests.models.spoken_truth import music, require_media, write_wav
from tests.models.tiny_whisper import build_tiny_whisper

KINDS = ["captions", "fake", "whisper", "aligned_captions", "aligned_fake"]
ANYTHING = HallucinationLimits(no_speech_prob=2.0, min_logprob=-99.0, max_compression_ratio=999.0)
LINE = "The curious traveller described an enormous bridge."


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_whisper(tmp_path_factory.mktemp("models") / "tiny-random")


@pytest.fixture(params=KINDS)
def transcriber(request: pytest.FixtureRequest, tiny_path: Path) -> Transcriber:
    inner: dict[str, Transcriber] = {
        "captions": CaptionsTranscriber(),
        "fake": FakeTranscriber(),
        "whisper": WhisperTranscriber(str(tiny_path)),
    }
    kind = request.param.removeprefix("aligned_")
    return AlignedTranscriber(inner[kind], PocketSphinxAligner()) if kind != request.param else inner[kind]


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
    assert [w.text for w in recognition.words] == LINE.split()
    assert recognition.is_verified_by_audio is (transcriber.engine == "fake")
    assert {w.probability for w in recognition.words} == ({None} if transcriber.engine == "captions" else {0.95})


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
