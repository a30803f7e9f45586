"""A word's clips recognised together, each kept as it would be alone; and what a recognition without speech leads to."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from core.adapters import packed_recognition
from core.adapters.openai_server import OpenAIServer
from core.adapters.packed_recognition import PackedTranscriber
from core.adapters.sound_av import SAMPLE_RATE_HZ
from core.adapters.source_fake import FakeClipSource
from core.adapters.transcriber_fake import FakeTranscriber
from core.adapters.transcriber_openai import OpenAITranscriber
from core.adapters.transcriber_whisper import WhisperTranscriber
from core.adapters.voice_espeak import speak
from core.errors import DecoderDied, ModelMissing, ProviderError, UnreadableMedia, WordreelError
from core.model.clips import Clip, EvidenceState
from core.model.transcripts import Segment, TimedBy, WordTiming
from core.pipeline import transcribe
from core.pipeline.janitor import Identity, register
from core.pipeline.ledger import Ledger
from core.pipeline.run_ledger import RunLedger, paying_for
from core.ports import Recognition
from core.store.media_rows import load_transcript
from core.store.tables import clips, proposals, run_clips, run_words, transcripts
from tests.integration.test_packed_recognition import KnowingModel
from tests.loopback.discovery_world import World, hit
from tests.loopback.openai import KEY, LoopbackOpenAI, Misbehaviour
from tests.models.spoken_truth import music, write_wav
from tests.models.tiny_whisper import build_tiny_whisper

LINE = "We must abandon the sinking ship."


def media_id_of(slug: str) -> str:
    """Of what the fake source fetches for a clip of 4 s."""
    mark = hashlib.sha256(slug.encode()).hexdigest()
    return hashlib.sha256(f"cut 0.0 4.0 {mark}".encode()).hexdigest()


def heard(text: str, *notes: str) -> Recognition:
    words = tuple(WordTiming(word, n * 0.4, n * 0.4 + 0.3, 0.9, TimedBy.RECOGNITION) for n, word in enumerate(text.split()))
    segments = (Segment(0.0, 4.0, text),) if text else ()
    return Recognition("fake", "fake", "en", text, segments, words, True, notes)


@dataclass(slots=True)
class TogetherTranscriber(FakeTranscriber):
    """Hears `LINE` unless scripted, alone or with others; says how often and with whom."""

    takes_s: float = 0.0
    together: list[list[str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)
    fails_with: WordreelError | None = None

    def transcribe(self, media_path: Path, *, language: str, known_cues: object) -> Recognition:
        self.alone.append(media_path.stem)
        outcome = self._outcome(media_path)
        if isinstance(outcome, WordreelError):
            raise outcome
        return outcome

    def transcribe_many(self, media_paths: Sequence[Path], *, language: str) -> Sequence[Recognition | WordreelError]:
        self.together.append([path.stem for path in media_paths])
        time.sleep(self.takes_s)
        if self.fails_with is not None:
            raise self.fails_with
        return [self._outcome(path) for path in media_paths]

    def _outcome(self, path: Path) -> Recognition | WordreelError:
        return self.script.get(path.stem, heard(LINE))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home", transcriber=TogetherTranscriber())
    yield made
    made.close()


def said(slugs: Sequence[str]) -> list:
    return [hit(slug, f"{LINE} Take {slug}.") for slug in slugs]


def outcomes(world: World) -> dict[str, tuple[str, str]]:
    """slug → (outcome, reason)"""
    query = select(clips.c.slug, run_clips.c.outcome, run_clips.c.reason).join(clips, clips.c.clip_id == run_clips.c.clip_id)
    with world.database.read() as connection:
        return {row.slug: (row.outcome, row.reason) for row in connection.execute(query)}


def together(world: World) -> TogetherTranscriber:
    assert isinstance(world.transcriber, TogetherTranscriber)
    return world.transcriber


def test_a_words_clips_are_recognised_in_one_call(world: World) -> None:
    world.source.hits = {"abandon": said("abc")}
    world.discover("abandon", want=3)
    assert together(world).alone == []
    assert [sorted(batch) for batch in together(world).together] == [sorted(media_id_of(slug) for slug in "abc")]
    assert world.mapped() == {(slug, "abandon") for slug in "abc"}
    with world.database.read() as connection:
        assert len(connection.execute(select(transcripts)).all()) == 3


def test_one_clip_alone_is_recognised_as_ever(world: World) -> None:
    world.source.hits = {"abandon": said("a")}
    world.discover("abandon")
    assert (together(world).alone, together(world).together) == ([media_id_of("a")], [])


def test_what_was_recognised_before_is_not_recognised_again(world: World) -> None:
    world.source.hits = {"abandon": said("ab"), "ship": [*said("ab"), *said("cd")]}
    world.discover("abandon", want=2)
    world.discover("ship", want=4)
    assert Counter(name for batch in together(world).together for name in batch) == {media_id_of(slug): 1 for slug in "abcd"}


def test_a_bad_clip_fails_alone_and_is_not_tried_twice(world: World) -> None:
    together(world).script = {media_id_of("b"): UnreadableMedia("b.mp4 is cut off."), media_id_of("c"): DecoderDied("c.mp4 killed it.")}
    world.source.hits = {"abandon": said("abcd")}
    world.discover("abandon", want=4)
    assert {slug: outcome for slug, (outcome, _) in outcomes(world).items()} == {"a": "ok", "b": "failed", "c": "failed", "d": "ok"}
    assert outcomes(world)["b"][1] == "b.mp4 is cut off."
    assert together(world).alone == []
    assert world.mapped() == {("a", "abandon"), ("d", "abandon")}


def test_a_file_that_is_gone_fails_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.source.hits = {"abandon": said("abc")}
    real = world.bench.media_files.local_path

    def local_path(media_id: str) -> Path:
        if media_id == media_id_of("b"):
            world.bench.media_files.delete(media_id)
        return real(media_id)

    monkeypatch.setattr(world.bench.media_files, "local_path", local_path)
    run_id = world.launch("abandon", want=3)
    world.drive(run_id)
    assert {slug: outcome for slug, (outcome, _) in outcomes(world).items()} == {"a": "ok", "b": "failed", "c": "ok"}


def test_a_missing_model_is_the_words_and_no_clips_fault(world: World) -> None:
    together(world).fails_with = ModelMissing("No Whisper here.")
    world.source.hits = {"abandon": said("ab")}
    world.discover("abandon", want=2)
    assert "failed" not in {outcome for outcome, _ in outcomes(world).values()}


def test_a_recogniser_that_fails_as_a_whole_fails_each_clip_once(world: World) -> None:
    together(world).fails_with = ProviderError("It ran out of memory.")
    world.source.hits = {"abandon": said("ab")}
    world.discover("abandon", want=2)
    assert set(outcomes(world).values()) == {("failed", "It ran out of memory.")}
    assert (len(together(world).together), together(world).alone) == (1, [])


def drive_to_transcribe(world: World, run_id: str, n_words: int) -> list[int]:
    """The words of the run, all of them at the stage."""
    for _ in range(40):
        with world.database.read() as connection:
            rows = connection.execute(select(run_words.c.word_id, run_words.c.stage).where(run_words.c.run_id == run_id)).all()
        if all(row.stage == "transcribe" for row in rows):
            return [row.word_id for row in rows]
        world.drive(run_id, only_steps=n_words)
    pytest.fail(f"the words did not get there: {rows}")


def test_two_words_never_recognise_one_clip_twice(world: World) -> None:
    together(world).takes_s = 0.3
    world.source.hits = {"abandon": said("abcd"), "ship": said("dcba"), "sinking": said("bdaef")}
    run_id = world.launch("abandon", "ship", "sinking", want=6)
    word_ids = drive_to_transcribe(world, run_id, 3)
    threads = [
        threading.Thread(target=transcribe.run_transcribe, args=(world.bench, run_id, word_id), daemon=True)
        for word_id in (*word_ids, *word_ids)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads), "they wait for each other"
    names = Counter(name for batch in together(world).together for name in batch) + Counter(together(world).alone)
    assert names == {media_id_of(slug): 1 for slug in "abcdef"}
    world.drive(run_id)
    assert {slug for slug, _ in world.mapped()} == set("abcdef")


# What a real recogniser makes of no speech (FAULTS 20) ---------------------------------------------------------------------


@dataclass(slots=True)
class SoundSource(FakeClipSource):
    """Fetches real sound."""

    sounds: dict[str, Path] = field(default_factory=dict)

    def fetch(self, clip: Clip, into: Path) -> Path:
        into.mkdir(parents=True, exist_ok=True)
        path = into / f"{clip.slug}.mp4"
        path.write_bytes(self.sounds[clip.slug].read_bytes())
        return path


def evidence_of(world: World, slug: str) -> tuple[EvidenceState, tuple[str, ...], tuple[str, ...]]:
    """(state, reasons, the transcript's notes) of the word's last proposal on a clip."""
    query = select(proposals.c.evidence, clips.c.transcript_id).join(clips, clips.c.clip_id == proposals.c.clip_id)
    with world.database.read() as connection:
        row = connection.execute(query.where(clips.c.slug == slug).order_by(proposals.c.proposal_id.desc())).first()
        assert row is not None
        transcript = load_transcript(connection, row.transcript_id)
    assert transcript.words == ()
    assert transcript.text == ""
    return EvidenceState(row.evidence["state"]), tuple(row.evidence["reasons"]), transcript.notes


def sounds(tmp_path: Path) -> dict[str, Path]:
    tune = (music(3 * SAMPLE_RATE_HZ) * 2500).astype(np.int16)
    line = speak(LINE)
    return {
        "silence": write_wav(tmp_path / "silence.wav", np.zeros(3 * SAMPLE_RATE_HZ, np.int16)),
        "music": write_wav(tmp_path / "music.wav", tune),
        "speech": write_wav(tmp_path / "speech.wav", line.pcm, line.sample_rate_hz),
    }


def test_silence_and_music_give_no_words_and_the_evidence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = KnowingModel()
    whisper = WhisperTranscriber(str(build_tiny_whisper(tmp_path / "models" / "tiny-random")))
    source = SoundSource(hits={"abandon": said(("silence", "music", "speech"))})
    source.sounds = sounds(tmp_path)
    model.learn(source.sounds["speech"], [(word.text, word.start_s, word.end_s) for word in speak(LINE).words])
    monkeypatch.setattr(packed_recognition, "load_model", lambda name: model)
    monkeypatch.setattr("core.adapters.transcriber_whisper.load_model", lambda name: model)
    world = World(tmp_path / "home", source=source, transcriber=PackedTranscriber(whisper))  # type: ignore[arg-type]
    world.discover("abandon", want=3)
    state, reasons, notes = evidence_of(world, "silence")
    assert state is EvidenceState.NOT_HEARD
    assert reasons == ("Only in the caption: the recogniser did not hear it.", "No speech was recognised, only silence.")
    assert notes[0] == "silence"
    state, reasons, notes = evidence_of(world, "music")
    assert state is EvidenceState.NOT_HEARD
    assert reasons[1] == "No speech was recognised, only music or noise."
    assert any(note.startswith("music") for note in notes)
    assert {slug: outcome for slug, (outcome, _) in outcomes(world).items()} == {
        "silence": "not_heard",
        "music": "not_heard",
        "speech": "ok",
    }
    world.close()


def test_a_real_model_of_random_weights_makes_nothing_of_silence(tmp_path: Path) -> None:
    whisper = WhisperTranscriber(str(build_tiny_whisper(tmp_path / "models" / "tiny-random")))
    source = SoundSource(hits={"abandon": said(("silence", "music"))})
    source.sounds = sounds(tmp_path)
    world = World(tmp_path / "home", source=source, transcriber=PackedTranscriber(whisper))  # type: ignore[arg-type]
    world.discover("abandon", want=2)
    for slug in ("silence", "music"):
        state, reasons, notes = evidence_of(world, slug)
        assert state is EvidenceState.NOT_HEARD
        assert any(reason.startswith("No speech was recognised") for reason in reasons)
        assert notes
    world.close()


def test_a_credit_line_is_dropped_flagged_and_no_evidence(tmp_path: Path) -> None:
    with LoopbackOpenAI(always=Misbehaviour.CREDIT_LINE_AFTER) as loopback:
        source = SoundSource(hits={"watching": [hit("quiet", "Are you watching closely?")]})
        source.sounds = {"quiet": sounds(tmp_path)["silence"]}
        server = OpenAIServer(KEY, loopback.url)
        world = World(tmp_path / "home", source=source)
        register(world.database, Identity("w1", "h", 1, "x"), [])
        heard_by = OpenAITranscriber(server, RunLedger(Ledger(world.database, "w1")))
        world.bench._transcribers = {"fake": heard_by}
        with paying_for("r1", 1.0):
            world.discover("watching", want=1)
        state, reasons, notes = evidence_of(world, "quiet")
        assert state is EvidenceState.NOT_HEARD
        assert reasons == (
            "Only in the caption: the recogniser did not hear it.",
            "No speech was recognised, only silence or music.",
            "Dropped, since nobody said it: a credit line at 0.0 s: Thanks for watching!",
        )
        assert notes[0].startswith("hallucination_dropped: a credit line")
        assert outcomes(world)["quiet"][0] == "not_heard"
        assert len(loopback.paid) == 1
        server.close()
        world.close()
