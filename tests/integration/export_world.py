"""A small workspace with real clips, for tests of what goes out of it."""

from __future__ import annotations

import functools
import hashlib
import struct
import tempfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from core.adapters.media_av import AvMediaTools
from core.adapters.practice.backend import PracticeBackend
from core.adapters.target_fake import FakeTarget
from core.adapters.target_http import HttpTarget
from core.model.clips import Evidence, EvidenceState, FilmFacts, Hit, Occurrence, ProposalStage, Scores, Source, Verdict
from core.model.media import AudioStream, MediaFacts, VideoStream
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.transcripts import TimedBy, Transcript, WordTiming
from core.ports import ExportTarget
from core.services.exports import Exports
from core.store.clips import Judgement, load_clip, propose_mapping, save_hit, save_proposals, set_clip
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.media_rows import save_media, save_transcript
from core.store.reviews import append_decision, last_visit, load_mapping
from core.store.runs import load_job, set_job
from core.store.vocabulary import save_bundle, save_words


@functools.cache
def tiny_mp4() -> bytes:
    """One second of grey with a tone: H.264 + AAC, faststart."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.mp4"
        _write_tiny(path)
        return path.read_bytes()


def _write_tiny(path: Path) -> None:
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        picture = out.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        sound = out.add_stream("aac", rate=48_000, layout="mono")
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * index, np.uint8), format="rgb24")
            out.mux(picture.encode(frame))
        out.mux(picture.encode(None))
        tone = (np.sin(np.arange(48_000) * 0.06) * 0.3).astype(np.float32)[None]
        for start in range(0, 48_000, 1024):
            piece = av.AudioFrame.from_ndarray(tone[:, start : start + 1024].copy(), format="fltp", layout="mono")
            piece.sample_rate, piece.pts, piece.time_base = 48_000, start, Fraction(1, 48_000)
            out.mux(sound.encode(piece))
        out.mux(sound.encode(None))


def distinct_mp4(mark: str, n_padding: int = 0) -> bytes:
    """The same film with other bytes: a `free` box with a mark at its end."""
    content = mark.encode() + b"\0" * n_padding
    return tiny_mp4() + struct.pack(">I4s", 8 + len(content), b"free") + content


class InlineWork:
    """Does a job at once in this process, as the engine would: its status is written round it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.run: Callable[[str], None] | None = None
        self.is_held = False
        self.started: list[tuple[str, int, str]] = []

    def start_run(self, run_id: str, attempt: int) -> None:
        raise NotImplementedError

    def start_job(self, job_id: str, attempt: int, queue: str) -> None:
        self.started.append((job_id, attempt, queue))
        if self.is_held or self.run is None:
            return
        self.set(job_id, "running")
        self.run(job_id)
        with self.database.read() as connection:
            status = load_job(connection, job_id).status
        if status == "running":
            self.set(job_id, "succeeded")

    def set(self, job_id: str, status: str) -> None:
        with self.database.write() as connection:
            set_job(connection, job_id, status=status)


class World:
    """A workspace under `path` and its exports."""

    def __init__(self, path: Path, targets: dict[str, ExportTarget] | None = None) -> None:
        self.path = path
        self.database = Database(path)
        self.files = MediaFiles(str(path / "media"), path / "cache" / "media")
        self.backend = PracticeBackend(path)
        self.targets: dict[str, ExportTarget] = {"": FakeTarget()} if targets is None else targets
        self.work = InlineWork(self.database)
        self.exports = Exports(
            self.database, self.files, AvMediaTools(), lambda address: self.targets[address], self.work, pause=lambda _seconds: None
        )
        self.work.run = self.exports.send_batch
        self.n_events = 0

    def close(self) -> None:
        for target in self.targets.values():
            if isinstance(target, HttpTarget):
                target.close()
        self.backend.close()
        self.database.close()

    @property
    def fake(self) -> FakeTarget:
        target = self.targets[""]
        assert isinstance(target, FakeTarget)
        return target

    def word(self, text: str, *, is_demo: bool = False) -> int:
        with self.database.write() as connection:
            return next(
                iter(
                    {
                        k: v for k, v in save_words(connection, {text: ("", "")}, language="en", is_demo=is_demo).items() if k == text
                    }.values()
                )
            )

    def bundle(self, name: str, *texts: str) -> None:
        ids = [self.word(text) for text in texts]
        with self.database.write() as connection:
            save_bundle(connection, name, ids)

    def clip(self, slug: str, text: str, *, data: bytes | None = None, is_demo: bool = False, facts: MediaFacts | None = None) -> int:
        """A fetched and transcribed clip."""
        data = distinct_mp4(slug) if data is None else data
        source = self.path / "incoming.mp4"
        source.write_bytes(data)
        media_id = self.files.put(source)
        source.unlink()
        known = facts or MediaFacts(
            media_id, len(data), "mp4", 1.0, VideoStream("h264", 64, 48, 10.0, Fraction(1, 12800), "yuv420p"),
            AudioStream("aac", 48_000, 1, "LC"), is_faststart=True,
        )  # fmt: skip
        known = replace(known, media_id=media_id, size_bytes=len(data))
        hit = Hit(Source.LIBRARY, slug, slug, text, "", 1.0, FilmFacts("The Lantern Keeper", 2017), is_demo=is_demo, end_s=1.0)
        with self.database.write() as connection:
            save_media(connection, known, is_stored=True, is_demo=is_demo)
            clip = save_hit(connection, hit, hashlib.sha256(slug.encode()).hexdigest())
            transcript_id = self._transcript(connection, media_id, text, "captions")
            set_clip(connection, clip.clip_id, media_id=media_id, transcript_id=transcript_id)
            return clip.clip_id

    def _transcript(self, connection, media_id: str, text: str, engine: str, parent_id: str | None = None) -> str:
        words = tuple(WordTiming(word, 0.1 * n, 0.1 * n + 0.08, None, TimedBy.ALIGNMENT) for n, word in enumerate(text.split()))
        transcript_id = hashlib.sha256(f"{media_id}{engine}{text}".encode()).hexdigest()
        save_transcript(connection, Transcript(transcript_id, media_id, engine, "", "en", text, (), words, False, parent_id))
        return transcript_id

    def correct(self, clip_id: int, text: str) -> None:
        with self.database.write() as connection:
            clip = load_clip(connection, clip_id)
            transcript_id = self._transcript(connection, clip.media_id or "", text, "correction", clip.transcript_id)
            set_clip(connection, clip_id, transcript_id=transcript_id)

    def mapping(
        self, clip_id: int, text: str, relevance: float = 0.8, evidence: EvidenceState = EvidenceState.HEARD, *, is_demo: bool = False
    ) -> int:
        """A final proposal in review."""
        word_id = self.word(text, is_demo=is_demo)
        found = Evidence(evidence, (Occurrence(text, 1, 1, 0.1, 0.18, None, "alignment"),))
        judgement = Judgement(ProposalStage.FINAL, f"{clip_id}-{text}"[:64], "rubric", "1", "1", "")
        verdict = Verdict(text, Scores(relevance, relevance, relevance), "clear", "beginner")
        with self.database.write() as connection:
            proposals = save_proposals(connection, clip_id, judgement, [(word_id, verdict, found)], tokens=0, cost_usd=0.0)
            return propose_mapping(connection, load_clip(connection, clip_id), proposals[word_id], run_id="")

    def decide(self, mapping_id: int, kind: DecisionKind = DecisionKind.APPROVE, score: float | None = None) -> None:
        self.n_events += 1
        request = DecisionRequest(mapping_id, kind, "mina", f"key-{self.n_events}", score=score)
        with self.database.write() as connection:
            undoes = last_visit(connection, "mina")[0].event_id if kind is DecisionKind.UNDO else None
            append_decision(connection, request, seen_version=load_mapping(connection, mapping_id).version, undoes_event_id=undoes)

    def approved(self, slug: str, text: str, word: str, relevance: float = 0.8, **kwargs) -> tuple[int, int]:
        """(clip id, mapping id) of an approved mapping."""
        clip_id = self.clip(slug, text, **kwargs)
        mapping_id = self.mapping(clip_id, word, relevance, is_demo=kwargs.get("is_demo", False))
        self.decide(mapping_id)
        return clip_id, mapping_id
