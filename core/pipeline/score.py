"""Score: transcript + clip → proposals for all vocabulary words that are spoken in it; people see them from here on."""

from __future__ import annotations

from dataclasses import replace

from core.model.clips import Clip, EvidenceState, ProposalStage
from core.model.runs import Stage
from core.pipeline.bench import Bench
from core.pipeline.fetch import each_clip
from core.pipeline.judging import judge_clip
from core.pipeline.progress import WordTask, load_task
from core.pipeline.work import WordEnd
from core.rules.evidence import find_evidence
from core.rules.morphology import inflections
from core.store import runs as run_rows
from core.store.clips import propose_mapping
from core.store.media_rows import load_facts, load_transcript


def run_score(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Scores every chosen clip and puts its mappings in review."""
    each_clip(bench, run_id, word_id, Stage.SCORE, "Scoring", score_clip)
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        scored = [row for row in rows if row[1] == Stage.SCORE and row[2] != "failed"]
        heard = [row for row in scored if row[2] == "ok"]
        run_rows.set_run_word(connection, run_id, task.word.word_id, n_fetched=len(scored), n_heard=len(heard))
    return None


def score_clip(bench: Bench, task: WordTask, clip: Clip) -> None:
    """Ask the judge once for all words of the clip; at most five good ones become mappings."""
    with bench.database.read() as connection:
        vocabulary = bench.vocabulary(connection, is_demo=task.run.is_demo)
        transcript = load_transcript(connection, clip.transcript_id or "")
        length_s = load_facts(connection, transcript.media_id).duration_s  # what its source states is wrong in a third
    matches = [match for match in vocabulary.matcher.find([word.text for word in transcript.words]) if match.word_id in vocabulary.words]
    by_word = {match.word_id: [other for other in matches if other.word_id == match.word_id] for match in matches}
    by_word.setdefault(task.word.word_id, [])
    forms = {task.word.text, *inflections(task.word.text)}
    evidence = {
        word_id: find_evidence(
            found,
            transcript.words,
            spoken_text=clip.spoken,
            script_text=clip.script,
            forms=forms if word_id == task.word.word_id else (),
            transcript_id=transcript.transcript_id,
            is_verified_by_audio=transcript.is_verified_by_audio,
            notes=transcript.notes,
        )
        for word_id, found in by_word.items()
    }
    judge = bench.judge(task.run.settings)
    made = judge_clip(
        bench,
        replace(clip, end_s=clip.start_s + length_s),
        ProposalStage.FINAL,
        task.run.run_id,
        judge,
        vocabulary,
        transcript.text,
        transcript.words,
        evidence,
        matches,
    )
    with bench.database.write() as connection:
        for proposal in made.values():
            if proposal.scores is not None or proposal.evidence.state is EvidenceState.NOT_HEARD:
                propose_mapping(connection, clip, proposal, task.run.run_id)
        own = made[task.word.word_id]
        is_spoken = own.evidence.state is not EvidenceState.NOT_HEARD
        outcome = "ok" if is_spoken and own.scores is not None else ("spare" if is_spoken else "not_heard")
        reason = "" if outcome == "ok" else ("The judge found that it does not teach the word" if is_spoken else "Not heard in this clip")
        run_rows.set_run_clip(
            connection, task.run.run_id, task.word.word_id, clip.clip_id, stage=Stage.SCORE, outcome=outcome, reason=reason
        )
