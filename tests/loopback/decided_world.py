"""Clips in review without a run through the stages: for tests of queue, decisions, coverage."""

from __future__ import annotations

import hashlib
from pathlib import Path

from core.adapters.media_fake import FakeMediaTools
from core.model.clips import Evidence, EvidenceState, Occurrence, ProposalStage, Scores, Verdict
from core.model.reviews import DecisionKind, DecisionOutcome, DecisionRequest
from core.model.runs import RunSettings
from core.model.transcripts import TimedBy, Transcript, WordTiming
from core.store.clips import Judgement, load_clip, propose_mapping, save_hit, save_proposals, set_clip
from core.store.media_rows import save_media, save_transcript
from core.store.runs import create_run, set_run_word
from core.store.tables import live_mappings
from core.store.vocabulary import save_words
from core.timing import now
from tests.loopback.discovery_world import World, hit


class Shelf(World):
    """A World whose clips are put there by hand."""

    n_keys: int = 0

    def word(self, text: str, *, is_demo: bool = False) -> int:
        from core.rules.word_keys import word_key

        with self.database.write() as connection:
            return save_words(connection, {text: ("", "")}, language="en", is_demo=is_demo)[word_key(text)]

    def run(self, *texts: str, state: str = "done", min_score: float = 0.6, is_demo: bool = False) -> str:
        ids = [self.word(text, is_demo=is_demo) for text in texts]
        settings = RunSettings(min_score=min_score, is_demo=is_demo, judge="fake", transcriber="fake")
        with self.database.write() as connection:
            key = f"by hand {self._key()}"
            run_id = create_run(connection, name="by hand", settings=settings, word_ids=ids, request_key=key, actor="t")
            for word_id in ids:
                set_run_word(connection, run_id, word_id, state=state)
        return run_id

    def _key(self) -> str:
        self.n_keys += 1
        return f"key-{self.n_keys}"

    def clip(self, slug: str, text: str, *, is_demo: bool = False, is_verified: bool = True) -> int:
        """A fetched clip with a transcript, a word each 0.4 s."""
        words = tuple(
            WordTiming(word, 0.2 + 0.4 * at, 0.5 + 0.4 * at, 0.9 if is_verified else None, TimedBy.ALIGNMENT)
            for at, word in enumerate(text.split())
        )
        path = self.home_path / "incoming.mp4"
        path.write_bytes(f"cut 0.0 {0.4 * len(words) + 1} {slug}".encode())
        facts = FakeMediaTools().probe(path)
        media_id = self.files.put(path)
        path.unlink()
        transcript = Transcript(
            hashlib.sha256(slug.encode()).hexdigest(), media_id, "fake", "fake", "en", text, (), words, is_verified
        )  # fmt: skip
        with self.database.write() as connection:
            save_media(connection, facts, is_stored=True, is_demo=is_demo)
            found = hit(slug, text, is_demo=is_demo, length_s=0.4 * len(words) + 1)
            clip = save_hit(connection, found, hashlib.sha256(slug.encode()).hexdigest())
            save_transcript(connection, transcript)
            set_clip(connection, clip.clip_id, media_id=media_id, transcript_id=transcript.transcript_id)
        return clip.clip_id

    def mapping(
        self,
        clip_id: int,
        word: str,
        relevance: float | None = 0.8,
        *,
        evidence: EvidenceState = EvidenceState.HEARD,
        run_id: str = "",
        both: float = 0.8,
    ) -> int:
        """A mapping in review; `both` is its education and context."""
        with self.database.read() as connection:
            clip = load_clip(connection, clip_id)
        word_id = self.word(word, is_demo=clip.is_demo)
        place = next((at for at, text in enumerate(clip.spoken.split()) if word.lower() in text.lower()), 0)
        shown = (Occurrence(word, place, 1, 0.2 + 0.4 * place, 0.5 + 0.4 * place, None, "alignment"),)
        found = Evidence(evidence, shown if evidence is not EvidenceState.NOT_HEARD else (), clip.transcript_id, ("So it is.",))
        judgement = Judgement(ProposalStage.FINAL, hashlib.sha256(self._key().encode()).hexdigest(), "fake", "fake-1", "1", run_id)
        verdict = None if relevance is None else Verdict(word, Scores(both, both, relevance), "clear", "beginner")
        with self.database.write() as connection:
            made = save_proposals(connection, clip_id, judgement, [(word_id, verdict, found)], tokens=0, cost_usd=0.0)
            return propose_mapping(connection, clip, made[word_id], run_id)

    def shown(self, slug: str, word: str, relevance: float | None = 0.8, **more: object) -> int:
        """A clip of its own with one mapping in review."""
        is_demo = bool(more.pop("is_demo", False))
        return self.mapping(self.clip(slug, f"They {word} it.", is_demo=is_demo), word, relevance, **more)  # type: ignore[arg-type]

    def decide(self, mapping_id: int, kind: DecisionKind, actor: str = "mina", **more: object) -> DecisionOutcome:
        return self.review.decide(DecisionRequest(mapping_id, kind, actor, str(more.pop("key", "")) or self._key(), **more))  # type: ignore[arg-type]

    def approve(self, mapping_id: int, **more: object) -> DecisionOutcome:
        return self.decide(mapping_id, DecisionKind.APPROVE, **more)

    def go_live(self, mapping_id: int, *, target: str = "practice", relevance: float = 0.9) -> None:
        """As if an export had sent it."""
        from core.store.reviews import load_mapping

        with self.database.write() as connection:
            row = load_mapping(connection, mapping_id)
            values = {"mapping_id": mapping_id, "clip_id": row.clip_id, "video_id": 1, "digest": "d", "batch_id": "b", "sent_at": now()}
            connection.execute(
                live_mappings.insert().values(target=target, name=row.slug, word_id=row.word_id, relevance=relevance, **values)
            )


def shelf(path: Path) -> Shelf:
    """A new one."""
    return Shelf(path)
