"""The desk: visits (one clip with all its words) as the review page shows them, and corrections of what is spoken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, select

from core.errors import Conflict, InvalidInput, NotFound
from core.model.clips import Clip, Evidence, EvidenceState, Occurrence, Proposal
from core.model.transcripts import CORRECTION, Cue, Segment, TimedBy, Transcript, WordTiming
from core.model.vocabulary import DEMO_PREFIX, VocabularyWord
from core.ports import Aligner
from core.rules.matching import WordMatcher
from core.rules.sentences import split_sentences
from core.rules.strong_language import strong_words
from core.rules.word_timing import spread_over_cue
from core.services.review import WAITING, QueueFilter, QueueItem, Review, shown_state
from core.services.settings import Settings
from core.store import clips as clip_rows
from core.store import media_rows, reviews, vocabulary
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.reviews import MappingRow
from core.store.tables import corrections, mappings
from core.timing import now


class Desk:
    """What the review page reads and writes, shaped for its player."""

    def __init__(self, database: Database, media_files: MediaFiles, review: Review, settings: Settings, aligner: Aligner) -> None:
        self._database = database
        self._media_files = media_files
        self._review = review
        self._settings = settings
        self._aligner = aligner

    def heads(self, actor: str, wanted: QueueFilter, *, limit: int = 200) -> dict[str, Any]:
        """The queue as visits: one row a clip, the word in focus first. See `ui/components/desk/contract.js`."""
        queue = self._review.queue(wanted)
        want = int(self._settings.get("want"))
        firsts: dict[int, QueueItem] = {}
        for item in queue.items:
            firsts.setdefault(item.row.clip_id, item)
        shown = list(firsts.values())[:limit]
        with self._database.read() as connection:
            clips = clip_rows.load_clips(connection, [item.row.clip_id for item in shown])
            pictures = media_rows.pictures_of(connection, [clip.media_id for clip in clips.values() if clip.media_id])
            alike = clip_rows.count_alike(connection, [clip.spoken for clip in clips.values()])
        today = self._review.today(actor)
        return {
            "actor": actor,
            "total": len(firsts),
            "parked": queue.n_parked,
            "skipped": queue.n_skipped,
            "today": {**today, "per_minute": self._review.pace(actor)},
            "rules": {"min_score": wanted.min_score, "strict": wanted.is_strict},
            "visits": [self._head(item, clips[item.row.clip_id], pictures, alike, want) for item in shown],
        }

    @staticmethod
    def _head(
        item: QueueItem, clip: Clip, pictures: Mapping[str, tuple[str | None, Sequence[float]]], alike: Mapping[str, int], want: int
    ) -> dict[str, Any]:
        still_id = pictures.get(clip.media_id or "", (None, ()))[0]
        flags = ["second_opinion"] if item.state == "flagged" else []
        return {
            "clip_id": clip.clip_id,
            "slug": clip.slug,
            "film_title": clip.film.title,
            "film_year": clip.film.year,
            "word": item.row.word,
            "mapping_id": item.row.mapping_id,
            "relevance": item.row.relevance,
            "evidence": str(item.row.evidence_state),
            "state": str(item.state),
            "approved": item.n_approved,
            "want": want,
            "n_alike": alike.get(clip.spoken, 0),
            "is_demo": clip.is_demo,
            "still_url": f"/api/media/{still_id}" if still_id else None,
            "flags": flags,
        }

    def visit(self, clip_id: int) -> dict[str, Any]:
        """One clip with its media, words and targets. Raises: NotFound."""
        want = int(self._settings.get("want"))
        with self._database.read() as connection:
            clip = clip_rows.load_clip(connection, clip_id)
            if clip.media_id is None or clip.transcript_id is None:
                raise NotFound(f"Clip {clip_id} was not fetched yet.", hint="It can be judged once its run has fetched it.")
            transcript = media_rows.load_transcript(connection, clip.transcript_id)
            origin = media_rows.load_transcript(connection, transcript.parent_id) if transcript.parent_id else transcript
            facts = media_rows.load_facts(connection, clip.media_id)
            still_id, peaks = media_rows.pictures_of(connection, [clip.media_id])[clip.media_id]
            rows = reviews.mapping_rows(connection, mappings.c.clip_id == clip_id)
            n_of_film = clip_rows.count_of_film(connection, clip)
            targets = self._targets(connection, rows, transcript, want)
        return {
            "clip_id": clip.clip_id,
            "slug": clip.slug,
            "source": str(clip.source),
            "title": clip.title,
            "film_title": clip.film.title,
            "film_year": clip.film.year,
            "film_rating": clip.film.rating,
            "n_of_film": list(n_of_film),
            "duration_s": facts.duration_s,
            "media_url": f"/api/media/{clip.media_id}",
            "still_url": f"/api/media/{still_id}" if still_id else None,
            "peaks": [round(peak, 3) for peak in peaks],
            "loudness_lufs": facts.loudness_lufs,
            "is_demo": clip.is_demo,
            "strong_language": list(strong_words(transcript.text)),
            "captions": " ".join(cue.text for cue in clip.cues),
            "recognition": origin.text if origin.is_verified_by_audio else "",
            "judge_text": "",
            "targets": targets,
            **_transcript_json(transcript),
        }

    def _targets(self, connection: Connection, rows: Sequence[MappingRow], transcript: Transcript, want: int) -> list[dict[str, Any]]:
        proposals = clip_rows.load_proposals(connection, [row.proposal_id for row in rows])
        word_ids = [row.word_id for row in rows]
        words = {word.word_id: word for word in vocabulary.load_words(connection, word_ids)}
        bundles = vocabulary.bundles_of_words(connection, word_ids)
        approved = reviews.approved_counts(connection, word_ids)
        waiting = reviews.reviewable_counts(connection, word_ids)
        live = reviews.live_mapping_ids(connection)
        found = []
        for row in rows:
            proposal = proposals[row.proposal_id]
            n_approved = approved.get(row.word_id, 0)
            found.append(
                {
                    "mapping_id": row.mapping_id,
                    "word": row.word,
                    "pos": words[row.word_id].pos,
                    "definition": words[row.word_id].definition,
                    "bundles": [bundle_label(*bundle) for bundle in bundles[row.word_id]],
                    "state": str(shown_state(row, n_approved=n_approved, want=want, is_live=row.mapping_id in live)),
                    "undecided": row.state in WAITING,
                    "version": row.version,
                    "approved": n_approved,
                    "in_review": waiting.get(row.word_id, 0),
                    "want": want,
                    "score": row.score,
                    "note": row.note,
                    "evidence": _evidence_json(proposal, transcript, words[row.word_id]),
                    "proposal": _proposal_json(proposal),
                }
            )
        return sorted(found, key=lambda target: -(target["proposal"]["relevance"] or 0.0))

    def correct(self, clip_id: int, text: str, *, actor: str, transcript_id: str, idempotency_key: str = "") -> dict[str, Any]:
        """Take a person's text as what is spoken, time its words anew, and keep the recognition beside it.

        Raises: InvalidInput for an empty or overlong text, Conflict when somebody corrected it since.
        """
        text = " ".join(text.split())
        if not text or len(text) > 2000 or "\x00" in text:
            raise InvalidInput("The spoken text has 1 to 2,000 characters and no NUL.", hint="Type what is said in the clip.")
        key = idempotency_key or uuid4().hex
        with self._database.read() as connection:
            clip = clip_rows.load_clip(connection, clip_id)
            done = connection.execute(
                select(corrections.c.after_transcript_id).where(corrections.c.idempotency_key == key)
            ).scalar_one_or_none()
            before = media_rows.load_transcript(connection, done or clip.transcript_id or "")
            length_s = media_rows.load_facts(connection, before.media_id).duration_s
        if done is not None:
            return _transcript_json(before)
        if transcript_id and transcript_id != before.transcript_id:
            raise Conflict(f"The text of {clip.slug} was corrected since you saw it.", hint="Look at it again.")
        after = self._realigned(clip, before, text, actor, length_s)
        with self._database.write() as connection:
            if clip_rows.load_clip(connection, clip_id).transcript_id != before.transcript_id:
                raise Conflict(f"The text of {clip.slug} was corrected since you saw it.", hint="Look at it again.")
            media_rows.save_transcript(connection, after)
            clip_rows.set_clip(connection, clip_id, transcript_id=after.transcript_id)
            connection.execute(
                corrections.insert().values(
                    clip_id=clip_id,
                    actor=actor,
                    idempotency_key=key,
                    before_transcript_id=before.transcript_id,
                    after_transcript_id=after.transcript_id,
                    corrected_at=now(),
                )
            )
        return _transcript_json(after)

    def _realigned(self, clip: Clip, before: Transcript, text: str, actor: str, length_s: float) -> Transcript:
        """The corrected text with times: each run of changed words lies where the words it replaces lay, then is aligned."""
        words = retimed(before.words, text.split(), length_s)
        words = self._aligner.align(self._media_files.local_path(clip.media_id or ""), words, language=before.language)
        start_s, end_s = (words[0].start_s, words[-1].end_s) if words else (0.0, length_s)
        return Transcript(
            transcript_id=uuid4().hex,
            media_id=before.media_id,
            engine=CORRECTION,
            model=before.model,
            language=before.language,
            text=text,
            segments=(Segment(start_s, end_s, text),),
            words=words,
            is_verified_by_audio=before.is_verified_by_audio,
            parent_id=before.parent_id or before.transcript_id,
            created_by=actor,
        )


def retimed(before: Sequence[WordTiming], texts: Sequence[str], duration_s: float) -> tuple[WordTiming, ...]:
    """Times for `texts`: unchanged words keep theirs, changed ones share the place of what they replace."""
    from difflib import SequenceMatcher

    old, new = [word.text.casefold() for word in before], [text.casefold() for text in texts]
    found: list[WordTiming] = []
    for kind, old_from, old_to, new_from, new_to in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.extend(replace(before[old_from + place], text=texts[new_from + place]) for place in range(new_to - new_from))
        elif new_to > new_from:
            start_s = before[old_from].start_s if old_from < old_to else (before[old_from - 1].end_s if old_from else 0.0)
            end_s = before[old_to - 1].end_s if old_from < old_to else (before[old_from].start_s if old_from < len(before) else duration_s)
            found.extend(_spread(texts[new_from:new_to], start_s, max(end_s, start_s)))
    return tuple(found)


def _spread(texts: Sequence[str], start_s: float, end_s: float) -> list[WordTiming]:
    """Words over a span by their length; a lone dash keeps its place without time."""
    timed = list(spread_over_cue(Cue(start_s, end_s, " ".join(texts))))
    if [word.text for word in timed] == list(texts):
        return timed
    share_s = (end_s - start_s) / len(texts)
    return [
        WordTiming(text, start_s + place * share_s, start_s + (place + 1) * share_s, None, TimedBy.CAPTION)
        for place, text in enumerate(texts)
    ]


def bundle_label(name: str, exam: str, level: str) -> str:
    """`TOEFL beginner` for `toefl_beginner`; own bundles by their name in words."""
    if not exam:
        return name.replace("_", " ").capitalize()
    is_demo = exam.startswith(DEMO_PREFIX)
    title = exam.removeprefix(DEMO_PREFIX).replace("_", " ")
    title = title.upper() if title in ("toefl", "ielts", "gre", "sat") else title.capitalize()
    return f"{'Demo ' if is_demo else ''}{title}{' ' + level if level else ''}"


def _transcript_json(transcript: Transcript) -> dict[str, Any]:
    methods = [word.timed_by for word in transcript.words]
    timed_by = max(set(methods), key=methods.count) if methods else TimedBy.CAPTION
    return {
        "transcript_id": transcript.transcript_id,
        "timed_by": str(timed_by),
        "timing_note": {
            TimedBy.VOICE: "timed by the voice itself",
            TimedBy.ALIGNMENT: "timed by alignment, ± 20 ms",
            TimedBy.RECOGNITION: "timed by the recogniser, ± 100 ms",
            TimedBy.CAPTION: "time from the caption, ± 300 ms",
        }[timed_by],
        "is_corrected": transcript.engine == CORRECTION,
        "words": [
            {
                "text": word.text,
                "start_s": round(word.start_s, 3),
                "end_s": round(word.end_s, 3),
                "probability": word.probability,
                "timed_by": str(word.timed_by),
                "is_pronunciation_guessed": word.is_pronunciation_guessed,
                "fault": word.fault,
            }
            for word in transcript.words
        ],
        "sentences": [[first, end] for first, end in split_sentences(transcript.words)],
    }


def _evidence_json(proposal: Proposal, transcript: Transcript, word: VocabularyWord) -> dict[str, Any]:
    evidence = proposal.evidence
    if evidence.transcript_id != transcript.transcript_id:
        evidence = _evidence_anew(evidence, transcript, word)
    occurrences = [
        {
            "form": found.form,
            "word_index": found.word_index,
            "n_words": found.n_words,
            "start_s": round(found.start_s, 3),
            "end_s": round(found.end_s, 3),
            "probability": found.probability,
            "timed_by": found.timed_by,
        }
        for found in evidence.occurrences
    ]
    return {"state": str(evidence.state), "occurrences": occurrences, "reasons": list(evidence.reasons)}


def _evidence_anew(evidence: Evidence, transcript: Transcript, word: VocabularyWord) -> Evidence:
    """The evidence after a correction: where the word stands in the corrected text; a text without it does not have it heard."""
    places = WordMatcher([word]).find([timed.text for timed in transcript.words])
    if not places:
        return Evidence(EvidenceState.NOT_HEARD, (), transcript.transcript_id, ("Not in the corrected text.",))
    known = {found.form.casefold(): found.probability for found in evidence.occurrences}
    occurrences = []
    for place in places:
        own = transcript.words[place.first_index : place.first_index + place.n_tokens]
        probability = known.get(place.form.casefold())
        occurrences.append(
            Occurrence(place.form, place.first_index, place.n_tokens, own[0].start_s, own[-1].end_s, probability, str(own[0].timed_by))
        )
    return Evidence(evidence.state, tuple(occurrences), transcript.transcript_id, evidence.reasons)


def _proposal_json(proposal: Proposal) -> dict[str, Any]:
    scores = proposal.scores
    return {
        "proposal_id": proposal.proposal_id,
        "judge": proposal.judge,
        "model": proposal.model,
        "prompt_version": proposal.prompt_version,
        "education": scores.education if scores else None,
        "context": scores.context if scores else None,
        "relevance": scores.relevance if scores else None,
        "reason": proposal.reason,
        "difficulty": proposal.difficulty,
        "features": [
            {"name": feature.name, "label": feature.label, "value": feature.value, "is_good": feature.is_good, "weight": feature.weight}
            for feature in proposal.features
        ],
    }
