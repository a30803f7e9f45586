"""The desk's half of the HTTP API in memory, with the behaviour the desk relies on and faults that a test can ask for."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.desk.media import CutClip, cut

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one visit of the fake is made of: spoken lines, and words with their evidence."""

    utterances: range
    film: str
    words: tuple[tuple[str, str, int, float], ...]
    """word, evidence, approved so far, relevance; the first is in focus."""
    captions: str = ""
    recognition: str = ""
    judge_text: str = ""
    unsure: tuple[int, ...] = ()
    flags: tuple[str, ...] = ()
    n_alike: int = 1
    strong: tuple[str, ...] = ()


PLANS = (
    Plan(
        range(3, 4),
        "Harbour Point",
        (("immediate", "heard", 2, 0.88), ("predecessors", "heard", 1, 0.71), ("printed", "heard", 3, 0.6)),
        captions="produced the black books, which were the immediate predecessors of the true printed book,",
        recognition="produced the block books, which were the immediate predecessors of the true printed book,",
        judge_text="the immediate predecessors of the true printed book",
        unsure=(2,),
    ),
    Plan(range(2), "Northbound", (("comparatively", "heard", 0, 0.93),)),
    Plan(
        range(6, 7),
        "Second Witness",
        (("invented", "captioned", 1, 0.85), ("capital", "not_heard", 0, 0.5), ("early", "heard", 1, 0.66)),
        captions="the lower-case being in fact invented in the early Middle Ages.",
        recognition="the lower-case being in fact in vented in the early Middle Ages.",
        judge_text="in fact invented",
    ),
    Plan(range(7, 8), "Control Group", (("disproportionately", "not_heard", 0, 0.84),), n_alike=1),
    Plan(range(4, 5), "A Table for Two", (("importance", "heard", 0, 0.91), ("letter", "heard", 1, 0.8)), n_alike=3),
    Plan(
        range(5, 6),
        "The Lantern Keeper",
        (("developed", "heard", 0, 0.87), ("completely", "heard", 2, 0.8), ("satisfactorily", "heard", 0, 0.78)),
        flags=("check_timing",),
    ),
    Plan(range(2, 3), "Rooftops", (("operations", "heard", 2, 0.81),), flags=("second_opinion",), strong=("damn",)),
    Plan(range(8, 9), "Letters from the Road", (("except", "heard", 2, 0.8),)),
    Plan(range(1, 3), "Curtain Call", (("surpassed", "heard", 1, 0.77),)),
    Plan(range(7, 9), "Heavy Weather", (("printers", "heard", 0, 0.74), ("cities", "heard", 0, 0.7))),
)
DEFINITIONS = {"immediate": "happening without delay, or nearest in order or rank", "comparatively": "measured against something else"}


@dataclass
class Faults:
    """What the fake does wrong, and how slowly it answers."""

    is_offline: bool = False
    delay_s: float = 0.0
    conflict_on: str = ""
    only: set[str] = field(default_factory=set)
    """The clips that were found so far; empty for all."""
    gone: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)


class FakeApi:
    """State of one workspace; every answer has the shape of `contract.js`."""

    def __init__(self, folder: Path, n_visits: int = len(PLANS), n_decided: int = 37) -> None:
        self.plans = PLANS[:n_visits]
        self.clips: dict[str, CutClip] = {f"clip{index}": cut(plan.utterances, folder) for index, plan in enumerate(self.plans)}
        self.reset(n_decided)

    def reset(self, n_decided: int = 37) -> None:
        """Back to the first state."""
        self.n_decided = n_decided
        self.faults = Faults()
        self.events: list[Json] = []
        self.answers: dict[str, Json] = {}
        self.posts: list[tuple[str, Json]] = []
        self.visits = {
            clip_id: self._visit(clip_id, plan, index) for index, (clip_id, plan) in enumerate(zip(self.clips, self.plans, strict=True))
        }

    def desk(self, query: dict[str, str]) -> Json:
        """The queue: clips with a word that is neither decided nor full, best first is the plans' own order."""
        heads = []
        for (clip_id, visit), plan in zip(self.visits.items(), self.plans, strict=True):
            focus = next(
                (target for target in visit["targets"] if target["state"] == "in_review" and target["approved"] < target["want"]), None
            )
            if self.faults.only and clip_id not in self.faults.only:
                continue
            if focus is None or focus["proposal"]["relevance"] < float(query.get("min_score") or 0):
                continue
            heads.append(
                {
                    "clip_id": clip_id,
                    "slug": visit["slug"],
                    "film_title": visit["film_title"],
                    "film_year": visit["film_year"],
                    "word": focus["word"],
                    "mapping_id": focus["mapping_id"],
                    "relevance": focus["proposal"]["relevance"],
                    "evidence": focus["evidence"]["state"],
                    "state": focus["state"],
                    "approved": focus["approved"],
                    "want": focus["want"],
                    "n_alike": plan.n_alike,
                    "is_demo": visit["is_demo"],
                    "still_url": visit["still_url"],
                    "flags": list(plan.flags),
                }
            )
        states = [event["state"] for event in self.events]
        return {
            "actor": "Mina Okafor",
            "total": len(heads),
            "parked": 2,
            "skipped": states.count("skipped"),
            "today": {
                "decided": self.n_decided + len(self.events),
                "approved": states.count("approved") + (30 if self.n_decided else 0),
                "rejected": states.count("rejected") + (7 if self.n_decided else 0),
                "per_minute": 14 if self.n_decided else None,
            },
            "rules": {"min_score": 0.6, "strict": False},
            "providers": {"judge": "Teachability rubric", "transcriber": "Whisper small.en + alignment"},
            "bundles": ["toefl_beginner", "ielts_intermediate"],
            "visits": heads[: int(query.get("limit", 200))],
            "without_clip": 163,
        }

    def decide(self, mapping_id: str, body: Json) -> tuple[int, Json]:
        """One decision; a repeat with the same key gets the first answer, a stale version a conflict."""
        visit, target = self._target(mapping_id)
        if body["idempotency_key"] in self.answers:
            return 200, self.answers[body["idempotency_key"]]
        if self.faults.conflict_on == target["word"] or body["version"] != target["version"]:
            self.faults.conflict_on = ""
            return 409, {
                "code": "conflict",
                "message": "Jonas approved this 20 s ago.",
                "hint": "Yours was not written. Both are in the history; it waits as a disagreement.",
            }
        state = {"approve": "approved", "reject": "rejected", "skip": "skipped", "flag": "flagged"}[body["decision"]]
        answer = self._write(visit, target, state, body["visit_id"], target["state"])
        self.answers[body["idempotency_key"]] = answer
        return 200, answer

    def turn(self, body: Json, *, is_undo: bool) -> tuple[int, Json]:
        """Take one key back, or do it again."""
        if body["idempotency_key"] in self.answers:
            return 200, self.answers[body["idempotency_key"]]
        own = [event for event in self.events if event["visit_id"] == body["visit_id"] and not event["is_turn"]]
        items = []
        for event in own:
            visit, target = self._target(event["mapping_id"])
            answer = self._write(
                visit, target, event["before"] if is_undo else event["state"], body["visit_id"], target["state"], is_turn=True
            )
            items.append({**answer, "clip_id": visit["clip_id"], "word": target["word"]})
        if not items:
            return 404, {"code": "not_found", "message": "There is nothing to take back.", "hint": ""}
        self.answers[body["idempotency_key"]] = {"items": items}
        return 200, {"items": items}

    def correct(self, clip_id: str, body: Json) -> tuple[int, Json]:
        """Spread the new text's words over the old span; a real server aligns them."""
        visit = self.visits[clip_id]
        texts = body["text"].split()
        start_s, end_s = visit["words"][0]["start_s"], visit["words"][-1]["end_s"]
        step_s = (end_s - start_s) / len(texts)
        words = [
            {
                "text": text,
                "start_s": start_s + index * step_s,
                "end_s": start_s + (index + 1) * step_s,
                "probability": None,
                "timed_by": "alignment",
                "is_pronunciation_guessed": False,
                "fault": None,
            }
            for index, text in enumerate(texts)
        ]
        answer = {"transcript_id": str(uuid.uuid4()), "words": words, "sentences": [[0, len(words)]], "timed_by": "alignment"}
        visit.update(answer, is_corrected=True, timing_note="timed by alignment")
        for target in visit["targets"]:
            target["evidence"]["occurrences"] = _occurrences(target["word"], words, target["evidence"]["state"])
        time.sleep(0.2)
        return 200, answer

    def _write(self, visit: Json, target: Json, state: str, visit_id: str, before: str, *, is_turn: bool = False) -> Json:
        step = int(state == "approved") - int(target["state"] == "approved")
        for other in (one for row in self.visits.values() for one in row["targets"] if one["word"] == target["word"]):
            other["approved"] += step
        target["state"], target["version"] = state, target["version"] + 1
        event = {
            "mapping_id": target["mapping_id"],
            "state": state,
            "version": target["version"],
            "event_id": str(uuid.uuid4()),
            "visit_id": visit_id,
            "before": before,
            "is_turn": is_turn,
        }
        self.events.append(event)
        return {name: event[name] for name in ("mapping_id", "state", "version", "event_id")}

    def _target(self, mapping_id: str) -> tuple[Json, Json]:
        return next((visit, target) for visit in self.visits.values() for target in visit["targets"] if target["mapping_id"] == mapping_id)

    def _visit(self, clip_id: str, plan: Plan, index: int) -> Json:
        clip = self.clips[clip_id]
        words: list[Json] = [
            {
                "text": word.text,
                "start_s": word.start_s,
                "end_s": word.end_s,
                "probability": 0.41 if at in plan.unsure else 0.97,
                "timed_by": "alignment",
                "is_pronunciation_guessed": False,
                "fault": None,
            }
            for at, word in enumerate(clip.words)
        ]
        spoken = " ".join(word.text for word in clip.words)
        return {
            "clip_id": clip_id,
            "slug": f"film-{index}-scene",
            "source": "library",
            "title": plan.film,
            "film_title": plan.film,
            "film_year": 1990 + index,
            "film_rating": "PG" if index % 2 else None,
            "n_of_film": [1 + index % 2, 3],
            "duration_s": clip.duration_s,
            "media_url": f"/media/{clip_id}.mp4",
            "still_url": f"/media/{clip_id}.jpg",
            "peaks": list(clip.peaks),
            "loudness_lufs": clip.loudness_lufs,
            "transcript_id": f"t-{clip_id}",
            "timed_by": "alignment",
            "timing_note": "timed by alignment, ± 20 ms",
            "is_corrected": False,
            "words": words,
            "sentences": [list(span) for span in clip.sentences],
            "captions": plan.captions or spoken,
            "recognition": plan.recognition or spoken,
            "judge_text": plan.judge_text,
            "strong_language": list(plan.strong),
            "is_demo": self.n_decided == 0,
            "targets": [
                _target(f"{clip_id}-{word}", word, state, approved, relevance, words) for word, state, approved, relevance in plan.words
            ],
        }


def _occurrences(word: str, words: list[Json], state: str) -> list[Json]:
    if state == "not_heard":
        return []
    found = [index for index, row in enumerate(words) if row["text"].strip('.,;"?').lower() == word]
    timed_by = "caption" if state == "captioned" else "alignment"
    return [
        {
            "form": word,
            "word_index": index,
            "n_words": 1,
            "start_s": words[index]["start_s"],
            "end_s": words[index]["end_s"],
            "probability": 0.22 if state == "captioned" else words[index]["probability"],
            "timed_by": timed_by,
        }
        for index in found
    ]


def _target(mapping_id: str, word: str, state: str, approved: int, relevance: float, words: list[Json]) -> Json:
    reasons = {
        "heard": ["Captions and judge agree"],
        "captioned": ["Recognised: in vented", "Voice there, hall echoes"],
        "not_heard": ["Only in the script, in a direction", "Nearest: in proportion"],
    }[state]
    return {
        "mapping_id": mapping_id,
        "word": word,
        "pos": "adverb" if word.endswith("ly") else "noun",
        "definition": DEFINITIONS.get(word, ""),
        "bundles": ["toefl_beginner", "ielts_intermediate"],
        "state": "in_review",
        "version": 1,
        "approved": approved,
        "in_review": 2,
        "want": 3,
        "score": None,
        "note": "",
        "evidence": {"state": state, "occurrences": _occurrences(word, words, state), "reasons": reasons},
        "proposal": {
            "proposal_id": f"p-{mapping_id}",
            "judge": "rubric",
            "model": "Teachability rubric",
            "prompt_version": "v1",
            "education": min(1.0, relevance + 0.06),
            "context": min(1.0, relevance + 0.03),
            "relevance": relevance,
            "reason": f"The line says “{word}” in a whole sentence, and what is seen makes the meaning plain without the word. "
            "Nothing else competes for the ear.",
            "difficulty": "B1",
            "features": [
                {"name": "sentence", "label": "Whole sentence", "value": 1.0, "is_good": True},
                {"name": "sound", "label": "Clear sound", "value": 0.9, "is_good": True},
                {"name": "pace", "label": "128 words a minute", "value": 128, "is_good": True},
                {"name": "level", "label": "1 word above level", "value": 1, "is_good": False},
            ],
        },
    }
