"""Shortlist: which hits are worth a download, by their text alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from core.errors import BudgetReached, WordreelError
from core.model.clips import Clip, Evidence, EvidenceState, Proposal, ProposalStage
from core.model.runs import Stage, WordState
from core.pipeline.bench import Bench
from core.pipeline.fetch import STOPPING
from core.pipeline.judging import judge_clip
from core.pipeline.progress import WordTask, load_task, say
from core.pipeline.run_ledger import SHORTLIST_SHARE_RATIO
from core.pipeline.work import WordEnd
from core.rules.prices import dollars
from core.store import runs as run_rows
from core.store.clips import load_clips

UNJUDGED = "unjudged"
"""A line that the run's money did not allow to be judged."""
NOT_KEPT = ("not_heard", "spare", "failed", UNJUDGED)


def run_shortlist(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Scores the spoken half of every hit for all vocabulary words in it. A word only in the script is `not_heard`.

    Lines are judged several at once where the judge is paid. One that cannot be judged fails alone. Where the run's money is reached
    the word goes on with what was judged by then; without any of it, it waits.
    """
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        clips = load_clips(connection, [clip_id for clip_id, *_ in rows])
        say(connection, task, f"Reading {len(rows)} {'line' if len(rows) == 1 else 'lines'}")
    unread = [clips[clip_id] for clip_id, stage, _, _ in rows if stage == Stage.MERGE]
    unpaid: list[tuple[int, BudgetReached]] = []
    for clip, read in _each(bench, task, unread):
        if isinstance(read, BudgetReached):
            unpaid.append((clip.clip_id, read))
            continue
        with bench.database.write() as connection:
            outcome, reason = read if isinstance(read, tuple) else ("failed", read.message)
            run_rows.set_run_clip(connection, run_id, word_id, clip.clip_id, stage=Stage.SHORTLIST, outcome=outcome, reason=reason)
    with bench.database.write() as connection:
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        failures = [reason for _, stage, outcome, reason in rows if outcome == "failed" and stage == Stage.SHORTLIST]
        n_kept = len([1 for _, stage, outcome, _ in rows if stage != Stage.MERGE and outcome not in NOT_KEPT])
        run_rows.set_run_word(connection, run_id, word_id, n_kept=n_kept)
        if n_kept and unpaid:
            _leave_unjudged(connection, task, [clip_id for clip_id, _ in unpaid])
    if n_kept:
        return None
    if unpaid:
        raise unpaid[0][1]
    if failures:
        return WordEnd(WordState.FAILED, reason=failures[0], detail=f"{len(failures)} of {len(rows)} lines could not be judged")
    return WordEnd(WordState.NONE_FOUND, reason=f"None of {len(rows)} lines teaches it", detail="No line is good enough")


def _leave_unjudged(connection: Connection, task: WordTask, clip_ids: Sequence[int]) -> None:
    """Lines for which the run has no money: not chosen among, and the run says so."""
    limit = dollars(task.run.settings.max_cost_usd or 0.0)
    for clip_id in clip_ids:
        reason = f"Not judged: the run's limit of {limit} is reached, but for what is fetched"
        run_rows.set_run_clip(
            connection, task.run.run_id, task.word.word_id, clip_id, stage=Stage.SHORTLIST, outcome=UNJUDGED, reason=reason
        )
    share = f"{SHORTLIST_SHARE_RATIO:.0%} of {limit}"
    note = f"Some lines were not judged: {share} may be spent on them, the rest on what is fetched."
    run_rows.add_note(connection, task.run.run_id, note)


Read = tuple[str, str] | WordreelError
"""What became of a line: (outcome, reason), or why it could not be judged."""


def _each(bench: Bench, task: WordTask, unread: Sequence[Clip]) -> Iterator[tuple[Clip, Read]]:
    """Each clip with what became of it, as they end. Raises: `STOPPING` errors, Halted; lines that ended by then are given first."""

    def read(clip: Clip) -> Read:
        bench.pause_point(task.run.run_id)
        try:
            with bench.clip_lock(clip.clip_id):
                return _outcome(shortlist_clip(bench, task, clip))
        except BudgetReached as error:
            return error
        except STOPPING:
            raise
        except WordreelError as error:
            return error

    if not bench.judge(task.run.settings).is_paid:
        yield from ((clip, read(clip)) for clip in unread)
        return
    stopped: BaseException | None = None
    for clip, future in bench.together(read, unread):
        if (error := future.exception()) is None:
            yield clip, future.result()
        stopped = stopped or error
    if stopped is not None:
        raise stopped


def _outcome(proposal: Proposal | None) -> tuple[str, str]:
    if proposal is None or proposal.evidence.state is EvidenceState.NOT_HEARD:
        return "not_heard", "Only in the script, never spoken"
    return ("waiting", "") if proposal.scores is not None else ("spare", "The judge found that it does not teach the word")


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
