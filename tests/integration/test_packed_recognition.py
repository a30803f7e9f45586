"""Clips recognised together: every word comes back to its clip and its moment; what fails or is silent fails or is silent alone.

`KnowingModel` stands where faster-whisper's model does and finds the words of known recordings by their samples, so that the
mapping is tested exactly; a Whisper model of random weights runs the real code path, and says nothing about quality.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from core.adapters import packed_recognition
from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
from core.adapters.isolated import IsolatedPool
from core.adapters.isolated_packed import IsolatedPackedTranscriber
from core.adapters.packed_recognition import PackedTranscriber
from core.adapters.sound_av import SAMPLE_RATE_HZ, read_pcm
from core.adapters.transcriber_whisper import HallucinationLimits, WhisperTranscriber
from core.adapters.voice_espeak import speak
from core.errors import DecoderDied, WordreelError
from core.ports import BatchTranscriber, Recognition
from tests.models.spoken_truth import music, write_wav
from tests.models.tiny_whisper import build_tiny_whisper

LINES = (
    "The captain ordered everybody to abandon the sinking ship.",
    "She was reluctant to describe the enormous bridge.",
    "Nobody believed the curious traveller.",
    "Emergency exits remain open during the storm.",
    "We measured the temperature twice.",
)
ANYTHING = HallucinationLimits(no_speech_prob=2.0, min_logprob=-99.0, max_compression_ratio=999.0)


@dataclass
class KnowingModel:
    """Hears the words that it knows the samples of, wherever they lie, and as much as it is told beside them."""

    known: list[tuple[str, bytes]] = field(default_factory=list)
    beside: list[SimpleNamespace] = field(default_factory=list)
    no_speech_prob: float = 0.05
    probability: float = 0.9
    is_broken: bool = False
    n_windows: int = 0

    def learn(self, path: Path, words: list[tuple[str, float, float]]) -> None:
        pcm = read_pcm(path)
        for text, start_s, end_s in words:
            self.known.append((text, pcm[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)].tobytes()))

    def transcribe(self, audio: NDArray[np.float32], **_: object) -> tuple[list[SimpleNamespace], SimpleNamespace]:
        self.n_windows += 1
        if self.is_broken:
            raise RuntimeError("out of memory")
        laid = np.round(audio * 32768.0).astype(np.int16).tobytes()
        words = list(self.beside)
        for text, sample_bytes in self.known:
            at = laid.find(sample_bytes)
            if at >= 0:
                start_s = at / 2 / SAMPLE_RATE_HZ
                words.append(word(text, start_s, start_s + len(sample_bytes) / 2 / SAMPLE_RATE_HZ, self.probability))
        words.sort(key=lambda one: one.start)
        segment = SimpleNamespace(
            text=" ".join(one.word for one in words), start=0.0, end=len(audio) / SAMPLE_RATE_HZ, words=words,
            no_speech_prob=self.no_speech_prob, avg_logprob=-0.2, compression_ratio=1.0,
        )  # fmt: skip
        return [segment] if words else [], SimpleNamespace(language="en", duration_after_vad=1.0)


def word(text: str, start_s: float, end_s: float, probability: float = 0.9) -> SimpleNamespace:
    return SimpleNamespace(word=" " + text, start=start_s, end=end_s, probability=probability)


@dataclass
class World:
    paths: list[Path]
    truth: list[list[tuple[str, float, float]]]
    model: KnowingModel
    packed: PackedTranscriber


@pytest.fixture(scope="module")
def tiny_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_whisper(tmp_path_factory.mktemp("models") / "tiny-random")


@pytest.fixture
def world(tmp_path: Path, tiny_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    paths, truth, model = [], [], KnowingModel()
    for n, text in enumerate(LINES):
        line = speak(text)
        paths.append(write_wav(tmp_path / f"clip{n}.wav", line.pcm, line.sample_rate_hz))
        truth.append([(said.text, said.start_s, said.end_s) for said in line.words])
        model.learn(paths[-1], truth[-1])
    monkeypatch.setattr(packed_recognition, "load_model", lambda name: model)
    monkeypatch.setattr("core.adapters.transcriber_whisper.load_model", lambda name: model)
    return World(paths, truth, model, PackedTranscriber(WhisperTranscriber(str(tiny_path))))


def recognised(outcomes: tuple[Recognition | WordreelError, ...]) -> list[Recognition]:
    assert all(isinstance(outcome, Recognition) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Recognition)]


def test_every_word_comes_back_to_its_clip_and_moment(world: World) -> None:
    batch: BatchTranscriber = world.packed
    for path, truth, heard in zip(
        world.paths, world.truth, recognised(tuple(batch.transcribe_many(world.paths, language="en"))), strict=True
    ):
        assert [said.text for said in heard.words] == [text for text, _, _ in truth], path
        for said, (_, start_s, end_s) in zip(heard.words, truth, strict=True):
            assert said.start_s == pytest.approx(start_s, abs=0.001) and said.end_s == pytest.approx(end_s, abs=0.001)
        assert heard.text == " ".join(text for text, _, _ in truth)
        assert (heard.engine, heard.model, heard.is_verified_by_audio) == ("faster_whisper", "tiny-random", True)
        assert any(note.startswith("packed:") for note in heard.notes)
    assert world.model.n_windows == 1


def test_what_is_silent_odd_or_missing_costs_the_others_nothing(world: World, tmp_path: Path) -> None:
    silence = write_wav(tmp_path / "silence.wav", np.zeros(3 * SAMPLE_RATE_HZ, np.int16))
    tune = write_wav(tmp_path / "music.wav", (music(3 * SAMPLE_RATE_HZ) * 2500).astype(np.int16))
    page = tmp_path / "page.mp4"
    page.write_bytes(b"<html>")
    alone = world.packed.transcribe_many(world.paths, language="en")
    mixed = world.packed.transcribe_many([silence, world.paths[0], page, *world.paths[1:], tune, tmp_path / "none.wav"], language="en")
    assert mixed[1] == alone[0] and mixed[3:7] == alone[1:]
    assert isinstance(mixed[2], WordreelError) and isinstance(mixed[8], WordreelError)
    for nothing, note in ((mixed[0], "silence"), (mixed[7], "music")):
        assert isinstance(nothing, Recognition) and nothing.words == () and nothing.text == ""
        assert any(one.startswith(note) for one in nothing.notes)
    assert world.packed.transcribe_many([], language="en") == ()


def test_a_word_between_two_clips_is_dropped_and_noted(world: World) -> None:
    whole_s = 40.0
    world.model.beside = [word("everything", 0.0, whole_s)]
    outcomes = recognised(world.packed.transcribe_many(world.paths, language="en"))
    assert all("everything" not in heard.text for heard in outcomes)
    assert any("packed_word_dropped: 'everything'" in note for heard in outcomes for note in heard.notes)
    assert [len(heard.words) for heard in outcomes] == [len(truth) for truth in world.truth]


@pytest.mark.parametrize(("change", "why"), [({"probability": 0.1}, "a guess"), ({"probability": 0.3, "no_speech_prob": 0.9}, "no speech")])
def test_hallucinations_are_judged_clip_by_clip(world: World, change: dict, why: str) -> None:
    for name, value in change.items():
        setattr(world.model, name, value)
    for heard in recognised(world.packed.transcribe_many(world.paths, language="en")):
        assert heard.words == () and heard.notes[0].startswith(f"hallucination_dropped: {why}")


def test_one_phrase_over_and_over_in_one_clip_only(world: World) -> None:
    world.model.beside = [word("no", 0.5 + n * 0.01, 0.5 + n * 0.01 + 0.005) for n in range(60)]
    first, *others = recognised(world.packed.transcribe_many(world.paths, language="en"))
    assert first.words == () and "one phrase over and over" in first.notes[0]
    assert all(heard.words for heard in others)


def test_a_window_that_fails_is_done_clip_by_clip(world: World) -> None:
    world.model.is_broken = True
    outcomes = world.packed.transcribe_many(world.paths, language="en")
    assert len(outcomes) == 5 and all(isinstance(outcome, WordreelError) for outcome in outcomes)
    assert world.model.n_windows == 1 + 5


def test_more_than_a_window_holds_takes_several(world: World) -> None:
    outcomes = recognised(world.packed.transcribe_many(world.paths * 3, language="en"))
    assert len(outcomes) == 15
    assert 2 <= world.model.n_windows <= 4


def test_with_alignment(world: World) -> None:
    packed = PackedTranscriber(world.packed.whisper, PocketSphinxAligner())
    heard = recognised(packed.transcribe_many(world.paths[:2], language="en"))
    assert all(any(note.startswith("alignment") for note in one.notes) for one in heard)
    assert [said.text for said in heard[0].words] == [text for text, _, _ in world.truth[0]]


@pytest.mark.parametrize("limits", [HallucinationLimits(), ANYTHING])
def test_a_real_model_of_random_weights(tiny_path: Path, tmp_path: Path, limits: HallucinationLimits) -> None:
    paths = []
    for n, text in enumerate(LINES[:3]):
        line = speak(text)
        paths.append(write_wav(tmp_path / f"clip{n}.wav", line.pcm, line.sample_rate_hz))
    packed = PackedTranscriber(WhisperTranscriber(str(tiny_path), limits=limits))
    assert pickle.loads(pickle.dumps(packed)) == packed
    for path, heard in zip(paths, recognised(packed.transcribe_many(paths, language="en")), strict=True):
        duration_s = len(read_pcm(path)) / SAMPLE_RATE_HZ
        assert all(0 <= said.start_s <= said.end_s <= duration_s for said in heard.words)
        assert all(said.probability is not None and 0 <= said.probability <= 1 for said in heard.words)


def test_a_clip_that_kills_its_process_fails_alone(tiny_path: Path, world: World) -> None:
    packed = DyingTranscriber(WhisperTranscriber(str(tiny_path)))
    with IsolatedPool(1) as pool:
        outcomes = IsolatedPackedTranscriber(pool, packed).transcribe_many(world.paths[:3], language="en")
    assert [isinstance(outcome, DecoderDied) for outcome in outcomes] == [False, True, False]


class DyingTranscriber(PackedTranscriber):
    """Dies of the second clip."""

    def transcribe_many(self, media_paths, *, language):  # type: ignore[no-untyped-def]
        import os

        if any(path.name == "clip1.wav" for path in media_paths):
            os._exit(9)
        return super().transcribe_many(media_paths, language=language)
