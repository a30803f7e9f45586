"""Choose: the clips that are worth fetching now, until the word has what it wants.

Where downloads cost nothing (own films) each word takes its best clips on its own. Where they are limited the words of a run are
chosen for together, in rolling windows: a word waits here until its run's window is ripe, whoever finds it ripe chooses for all that
are here, and a clip that serves several words is fetched by one of them, its owner, while the others wait for what comes of it.

No wait is for ever, so there is no deadlock: a window ripens by itself (`rules.choosing.is_ripe`); a clip whose owner has no place on
the queue is taken over by who would wait for it; one whose owner has is waited for only while that word is open, and beyond a link's
life only while its row changes; and a word that is given nothing ends, and leaves its place on the queue.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection, func, select, update

from core.model.reviews import MappingState
from core.model.runs import Stage, WordState
from core.pipeline.bench import Bench, Pace
from core.pipeline.choose_window import MonthLeft, Window, downloads_left, take_turn
from core.pipeline.progress import WordTask, clips_had, load_task, say
from core.pipeline.shortlist import UNJUDGED
from core.pipeline.work import WordEnd
from core.rules.approval import ApprovalModel
from core.rules.choosing import Waiting, is_ripe, window_size
from core.store import choice_board as board
from core.store import runs as run_rows
from core.store.choice_board import OnItsWay
from core.store.choice_tables import run_choices
from core.store.choices import load_approval_model
from core.store.reviews import least_score
from core.store.tables import clips, mappings, proposals, run_clips, run_words
from core.timing import now

POLL_S = 0.5
"""How often a waiting word looks whether something changed."""
LOOK_S = 5.0
"""How often it looks at everything in any case: a person's decisions change what it wants."""


def run_choose(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Marks the next clips to fetch, or ends the word: it has enough, nothing is left to try, or no download is left for it.

    Raises: Halted while it waits.
    """
    with bench.database.read() as connection:
        settings = run_rows.load_run(connection, run_id).settings
    pace = bench.pace(settings)
    if pace is None:
        return _choose_alone(bench, run_id, word_id)
    started_s = time.monotonic()
    while True:
        waited_s = time.monotonic() - started_s
        with bench.database.read() as connection:
            seen = _look(connection, run_id, word_id, waited_s, pace.link_life_s)
        if not seen.is_open:
            return WordEnd(seen.task.row.state, reason=seen.task.row.reason, detail=seen.task.row.detail)
        if seen.has_chosen:
            return None
        if seen.has_news or (seen.n_missing > 0 and seen.n_here):
            _take_what_is_here(bench, run_id, word_id, waited_s, pace.link_life_s)
            continue
        if seen.n_missing <= 0 or not (seen.n_to_fetch or seen.shared):
            return _finish(bench, pace, seen)
        if any(one.is_stuck for one in seen.shared):
            _take_over(bench, run_id, word_id)
            continue
        if _is_ripe(pace, seen) and _choose_for_all(bench, pace, seen):
            continue
        _say_why(bench, seen)
        _wait_for_a_change(bench, pace, seen, started_s)


def choose_for_refill(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """As `run_choose` for a word that has ended and lost a clip: nobody is waited for."""
    with bench.database.read() as connection:
        settings = run_rows.load_run(connection, run_id).settings
    pace = bench.pace(settings)
    if pace is None:
        return _choose_alone(bench, run_id, word_id)
    _take_what_is_here(bench, run_id, word_id, 0.0, pace.link_life_s)
    with bench.database.read() as connection:
        seen = _look(connection, run_id, word_id, 0.0, pace.link_life_s)
    if seen.has_chosen:
        return None
    if seen.n_missing > 0 and seen.n_to_fetch:
        month = _month(bench, pace, seen.task)
        with bench.database.read() as connection:
            model = load_approval_model(connection)
        with bench.database.write() as connection:
            take_turn(connection, run_id)
            window = Window(connection, seen.task.run, model, month, lone=word_id)
            if window.decide():
                return None
            if window.left.n == 0:
                return WordEnd(WordState.WAITING_FOR_QUOTA, reason=window.left.says, detail=_has(seen))
    with bench.database.write() as connection:
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        return _end(connection, seen.task, rows, seen.n_missing)


# Where downloads are limited -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a word that has come to the choice finds."""

    task: WordTask
    n_missing: int
    has_chosen: bool
    has_news: bool
    """Other words' workflows found out about clips that it waits for."""
    n_here: int
    """Clips of it that are here already and cost nothing."""
    n_to_fetch: int
    shared: tuple[OnItsWay, ...]
    waiting: Waiting

    @property
    def is_open(self) -> bool:
        return self.task.row.state in board.OPEN

    @property
    def is_in_window(self) -> bool:
        """It waits for a choice, and not for what others fetch."""
        return self.n_to_fetch > 0 and not self.shared


def _look(connection: Connection, run_id: str, word_id: int, waited_s: float, trust_s: float) -> _Seen:
    task = load_task(connection, run_id, word_id)
    rows = run_rows.clips_of_word(connection, run_id, word_id)
    waiting = [clip_id for clip_id, _, outcome, _ in rows if outcome == "waiting"]
    here = set(connection.execute(select(clips.c.clip_id).where(clips.c.clip_id.in_(waiting), clips.c.media_id.is_not(None))).scalars())
    shared = _on_their_way(connection, run_id, word_id, waited_s, trust_s)
    coming = {one.clip_id for one in shared}
    return _Seen(
        task,
        task.run.settings.want - clips_had(connection, word_id),
        any(outcome == "chosen" for _, _, outcome, _ in rows),
        bool(board.news_of(connection, run_id, word_id, waiting)),
        len(here - coming),
        len([clip_id for clip_id in waiting if clip_id not in here and clip_id not in coming]),
        tuple(shared),
        _standing(connection, run_id, waited_s),
    )


def _on_their_way(connection: Connection, run_id: str, word_id: int, waited_s: float, trust_s: float) -> list[OnItsWay]:
    """The clips that this word waits for, without those whose owner stood still for too long; all of its steps must see the same."""
    shared = board.on_their_way_for(connection, run_id, word_id)
    return shared if waited_s <= trust_s else [one for one in shared if one.moved_at >= now() - timedelta(seconds=trust_s)]


def _wait_for_a_change(bench: Bench, pace: Pace, seen: _Seen, started_s: float) -> None:
    """Return when a look may find something else than `seen`; asks little, since many words wait at once. Raises: Halted."""
    run_id, word_id = seen.task.run.run_id, seen.task.word.word_id
    looked_s = time.monotonic()
    chosen = select(run_clips.c.clip_id).where(
        run_clips.c.run_id == run_id, run_clips.c.word_id == word_id, run_clips.c.outcome == "chosen"
    )
    row = select(run_words.c.state).where(run_words.c.run_id == run_id, run_words.c.word_id == word_id)
    while time.monotonic() - looked_s < LOOK_S:
        bench.pause_point(run_id)
        time.sleep(POLL_S)
        with bench.database.read() as connection:
            if connection.execute(row).scalar_one() not in board.OPEN or connection.execute(chosen.limit(1)).first():
                return
            waited_s = time.monotonic() - started_s
            now_shared = _on_their_way(connection, run_id, word_id, waited_s, pace.link_life_s)
            shared = {one.clip_id for one in now_shared}
            is_held = any(one.is_stuck for one in now_shared)
            if is_held or not shared >= {one.clip_id for one in seen.shared} or (shared and not seen.shared):
                return
            standing = _standing(connection, run_id, waited_s) if seen.is_in_window else seen.waiting
        if _is_ripe(pace, replace(seen, waiting=standing)):
            return


def _standing(connection: Connection, run_id: str, waited_s: float) -> Waiting:
    """How the run stands, without reading more than counts."""
    query = select(run_words.c.state, run_words.c.stage, func.count().label("n")).where(
        run_words.c.run_id == run_id, run_words.c.state.in_(board.OPEN)
    )
    counts = {(row.state, row.stage): row.n for row in connection.execute(query.group_by(run_words.c.state, run_words.c.stage))}
    chosen = select(run_choices.c.choice_id).where(run_choices.c.run_id == run_id).limit(1)
    moving = select(func.count(func.distinct(run_clips.c.word_id))).where(run_clips.c.run_id == run_id, run_clips.c.outcome == "chosen")
    n_at_choose = counts.get((WordState.WORKING, Stage.CHOOSE), 0)
    on_leave = moving.join(run_words, (run_words.c.run_id == run_clips.c.run_id) & (run_words.c.word_id == run_clips.c.word_id)).where(
        run_words.c.state == WordState.WORKING, run_words.c.stage == Stage.CHOOSE
    )
    return Waiting(
        n_waiting=n_at_choose - int(connection.execute(on_leave).scalar_one()),
        n_upstream=sum(n for (_, stage), n in counts.items() if stage not in board.FROM_CHOOSE),
        is_fetching=counts.get((WordState.WORKING, Stage.FETCH), 0) > 0,
        is_first=connection.execute(chosen).first() is None,
        waited_s=waited_s,
    )


def _is_ripe(pace: Pace, seen: _Seen) -> bool:
    size = window_size(pace.rate.limit, pace.rate.window_s, pace.link_life_s, seen.n_missing)
    return seen.is_in_window and is_ripe(seen.waiting, size, pace.link_life_s)


def _take_what_is_here(bench: Bench, run_id: str, word_id: int, waited_s: float, trust_s: float) -> None:
    """Take over what other words' workflows found out, then the clips that are here, as many as are missing."""
    with bench.database.write() as connection:
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        waiting = [clip_id for clip_id, _, outcome, _ in rows if outcome == "waiting"]
        news = board.news_of(connection, run_id, word_id, waiting)
        for clip_id, (stage, outcome, reason) in news.items():
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=stage, outcome=outcome, reason=reason)
        task = load_task(connection, run_id, word_id)
        n_missing = task.run.settings.want - clips_had(connection, word_id)
        if n_missing <= 0 or any(outcome == "chosen" for _, _, outcome, _ in rows):
            return
        coming = {one.clip_id for one in _on_their_way(connection, run_id, word_id, waited_s, trust_s)}
        left = [clip_id for clip_id in waiting if clip_id not in news and clip_id not in coming]
        free = select(clips.c.clip_id).where(clips.c.clip_id.in_(left), clips.c.media_id.is_not(None))
        here = list(connection.execute(free).scalars())
        taken = _ranked(connection, run_id, word_id, here)[:n_missing]
        for clip_id in taken:
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=Stage.CHOOSE, outcome="chosen")
        if taken:
            say(connection, task, f"{len(taken)} clips are here already" if len(taken) != 1 else "1 clip is here already")


def _take_over(bench: Bench, run_id: str, word_id: int) -> None:
    """Fetch what this word would wait for while its owner waits for a place on the queue, which words like this one hold."""
    with bench.database.write() as connection:
        take_turn(connection, run_id)
        if run_rows.load_run_word(connection, run_id, word_id).state in board.OPEN:
            stuck = [one for one in board.on_their_way_for(connection, run_id, word_id) if one.is_stuck]
            board.take_over(connection, run_id, word_id, stuck)


def _choose_for_all(bench: Bench, pace: Pace, seen: _Seen) -> bool:
    """Choose for every word that is here, unless another has done it meanwhile. Returns: whether this word can go on now."""
    run_id, word_id = seen.task.run.run_id, seen.task.word.word_id
    month = _month(bench, pace, seen.task)
    waited_s = seen.waiting.waited_s
    trusted_since = now() - timedelta(seconds=pace.link_life_s) if waited_s > pace.link_life_s else None
    with bench.database.write() as connection:
        take_turn(connection, run_id)
        still = _look(connection, run_id, word_id, waited_s, pace.link_life_s)
        if still.is_open and not still.has_chosen and _is_ripe(pace, still):
            model = load_approval_model(connection)
            Window(connection, seen.task.run, model, month, trusted_since=trusted_since).decide()
            still = _look(connection, run_id, word_id, waited_s, pace.link_life_s)
    return still.has_chosen or not still.is_open or not still.n_to_fetch


def _finish(bench: Bench, pace: Pace, seen: _Seen) -> WordEnd | None:
    """The word ends, unless it was chosen for meanwhile. Downloads that are left go to words that had ended for want of them.

    The end is written here, in the run's turn, so that nobody chooses for a word that is about to end.
    """
    run_id, word_id = seen.task.run.run_id, seen.task.word.word_id
    with bench.database.read() as connection:
        is_asked_for = seen.waiting.n_upstream == 0 and board.has_sleepers(connection, run_id)
    if is_asked_for:
        month = _month(bench, pace, seen.task)
        with bench.database.read() as connection:
            is_left = downloads_left(connection, seen.task.run, month).n != 0
            model = load_approval_model(connection) if is_left else ApprovalModel()
        with bench.database.write() as connection:
            take_turn(connection, run_id)
            window = Window(connection, seen.task.run, model, month)
            if is_left:
                window.decide()
            else:
                window.finish_sleepers()
    with bench.database.write() as connection:
        take_turn(connection, run_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        if any(outcome == "chosen" for _, _, outcome, _ in rows):
            return None
        end = _end(connection, seen.task, rows, seen.n_missing)
        row = (run_words.c.run_id == run_id, run_words.c.word_id == word_id, run_words.c.attempt == seen.task.row.attempt)
        connection.execute(
            update(run_words)
            .where(*row, run_words.c.state.in_(board.OPEN))
            .values(state=end.state, reason=end.reason, detail=end.detail, updated_at=now())
        )
        return end


def _month(bench: Bench, pace: Pace, task: WordTask) -> MonthLeft:
    n_left = bench.month_downloads_left(task.run.settings)
    return MonthLeft(n_left, pace.resets_at() if n_left is not None else None)


def _say_why(bench: Bench, seen: _Seen) -> None:
    if seen.shared:
        owners = list(dict.fromkeys(one.owner for one in seen.shared))
        more = f" and {len(owners) - 1} more" if len(owners) > 1 else ""
        clips_said = f"{len(seen.shared)} clips" if len(seen.shared) != 1 else "a clip"
        said = f"Waits for {clips_said} shared with {owners[0]}{more}"
    else:
        said = f"{seen.n_to_fetch} clips wait for the next choice" if seen.n_to_fetch != 1 else "1 clip waits for the next choice"
    if said != seen.task.row.detail:
        with bench.database.write() as connection:
            say(connection, seen.task, said)


def _has(seen: _Seen) -> str:
    want = seen.task.run.settings.want
    return f"Waits for downloads with {want - seen.n_missing} of {want} clips"


# Where downloads cost nothing ----------------------------------------------------------------------------------------


def _choose_alone(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """The word's best clips, as many as it misses."""
    with bench.database.write() as connection:
        task = load_task(connection, run_id, word_id)
        rows = run_rows.clips_of_word(connection, run_id, word_id)
        n_missing = task.run.settings.want - clips_had(connection, word_id)
        if any(outcome == "chosen" for _, _, outcome, _ in rows):
            return None
        waiting = _ranked(connection, run_id, word_id, [clip_id for clip_id, _, outcome, _ in rows if outcome == "waiting"])
        if n_missing <= 0 or not waiting:
            return _end(connection, task, rows, n_missing)
        for clip_id in waiting[:n_missing]:
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=Stage.CHOOSE, outcome="chosen")
        say(connection, task, f"{min(n_missing, len(waiting))} of {len(waiting)} chosen")
    return None


def _ranked(connection: Connection, run_id: str, word_id: int, clip_ids: list[int]) -> list[int]:
    """Clips already at hand first (they cost nothing), then by the shortlist's relevance."""
    query = (
        select(clips.c.clip_id, clips.c.media_id, proposals.c.relevance)
        .join(proposals, (proposals.c.clip_id == clips.c.clip_id) & (proposals.c.word_id == word_id) & (proposals.c.stage == "shortlist"))
        .where(clips.c.clip_id.in_(clip_ids))
        .order_by(proposals.c.proposal_id)
    )
    best = {row.clip_id: (row.media_id is None, -(row.relevance or 0.0), row.clip_id) for row in connection.execute(query)}
    return sorted(best, key=lambda clip_id: best[clip_id])


def _end(connection: Connection, task: WordTask, rows: list[tuple[int, str, str, str]], n_missing: int) -> WordEnd:
    """How the word ends when no more clips are fetched: spare ones stay for a refill."""
    run_id, word_id = task.run.run_id, task.word.word_id
    n_here = len([row for row in rows if row[2] == "ok"])
    failures = [reason for _, _, outcome, reason in rows if outcome == "failed"]
    query = select(mappings.c.relevance, mappings.c.state).where(
        mappings.c.word_id == word_id, mappings.c.clip_id.in_([row[0] for row in rows])
    )
    judged = [row for row in connection.execute(query) if row.relevance is not None]
    scores = [row.relevance for row in judged if row.state != MappingState.REJECTED]
    run_rows.set_run_word(connection, run_id, word_id, best=max(scores, default=None))
    if n_missing > 0 and failures:
        return WordEnd(WordState.FAILED, reason=failures[0], detail=f"{len(failures)} of {len(rows)} clips failed")
    unjudged = [reason for _, _, outcome, reason in rows if outcome == UNJUDGED]
    if n_missing > 0 and unjudged:
        return WordEnd(WordState.WAITING_FOR_QUOTA, reason=unjudged[0], detail=f"{len(unjudged)} of {len(rows)} lines are not judged")
    rule = least_score(connection, run_id)
    if n_missing <= 0 or any(score >= rule for score in scores):
        return WordEnd(WordState.DONE, detail=f"{n_here} clips to review" if n_here != 1 else "1 clip to review")
    if judged and not scores:
        n_rejected = f"{len(judged)} clips were" if len(judged) != 1 else "The only clip was"
        return WordEnd(WordState.NONE_FOUND, reason=f"{n_rejected} rejected, and there is no other", detail="No other clip")
    if scores:
        best = f"The best of {len(scores)} clips has relevance {max(scores):.2f}, under the rule {rule:.2f}"
        return WordEnd(WordState.NONE_FOUND, reason=best, detail="None reaches the rule")
    return WordEnd(WordState.NONE_FOUND, reason=f"Not heard in any of {len(rows)} clips", detail=f"Not heard in any of {len(rows)} clips")
