"""Shortlist: which hits are worth a download, by their text alone."""

from __future__ import annotations

from core.model.clips import Clip, Evidence, EvidenceState, Proposal, ProposalStage
from core.model.runs import Stage, WordState
from core.pipeline.bench import Bench
from core.pipeline.judging import judge_clip
from core.pipeline.progress import WordTask, load_task, say
from core.pipeline.work import WordEnd
from core.store import runs as run_rows
from core.store.clips import load_clips


def run_shortlist(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Scores the spoken half of every hit for all vocabulary words in it. A word only in the script is `not_heard`."""
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        clips = load_clips(connection, [clip_id for clip_id, *_ in rows])
        say(connection, task, f"Reading {len(rows)} lines")
    n_kept = 0
    for clip_id, stage, outcome, _ in rows:
        if stage != Stage.MERGE and outcome != "failed":
            n_kept += outcome != "not_heard"
            continue
        with bench.clip_lock(clip_id):
            proposal = shortlist_clip(bench, task, clips[clip_id])
        is_spoken = proposal is not None and proposal.evidence.state is not EvidenceState.NOT_HEARD
        is_good = proposal is not None and proposal.scores is not None
        n_kept += is_good
        with bench.database.write() as connection:
            outcome = "waiting" if is_good else ("spare" if is_spoken else "not_heard")
            reason = (
                "" if is_good else ("The judge found that it does not teach the word" if is_spoken else "Only in the script, never spoken")
            )
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=Stage.SHORTLIST, outcome=outcome, reason=reason)
    with bench.database.write() as connection:
        run_rows.set_run_word(connection, run_id, word_id, n_kept=n_kept)
    if not n_kept:
        return WordEnd(WordState.NONE_FOUND, reason=f"None of {len(rows)} lines teaches it", detail="No line is good enough")
    return None


def shortlist_clip(bench: Bench, task: WordTask, clip: Clip) -> Proposal | None:
    """The shortlist proposal of this word in this clip, or None when it is not even in the text."""
    with bench.database.read() as connection:
        vocabulary = bench.vocabulary(connection, is_demo=task.run.is_demo)
    matches = [match for match in vocabulary.matcher.find_in_text(clip.spoken) if match.word_id in vocabulary.words]
    evidence = {match.word_id: Evidence(EvidenceState.CAPTIONED, reasons=("In the spoken text",)) for match in matches}
    if task.word.word_id not in evidence:
        evidence[task.word.word_id] = Evidence(EvidenceState.NOT_HEARD, reasons=("Only in the script",))
    judge = bench.judge(task.run.settings)
    made = judge_clip(bench, clip, ProposalStage.SHORTLIST, task.run.run_id, judge, vocabulary, clip.spoken, (), evidence, matches)
    return made.get(task.word.word_id)
