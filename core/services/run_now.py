"""What a run works on or waits for at this moment, and what a person can do about it. Pure: all that it needs is handed in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from core.model.runs import RunStatus, Stage, StopCause, WordState
from core.services.run_progress import RunProgress
from core.store.rate_slots import QuotaState, RateState
from core.store.runs import RunRow, RunWordRow

ASKS = {"": "search", Stage.KNOWN.value: "search", Stage.SEARCH.value: "search", Stage.FETCH.value: "download"}
"""Stages whose next step is a request to the source; a word that has not begun will be searched."""
GOES_ON = {
    Stage.MERGE.value: "judging",
    Stage.SHORTLIST.value: "judging",
    Stage.PROBE.value: "probing",
    Stage.TRANSCRIBE.value: "transcribing",
    Stage.SCORE.value: "scoring",
}
"""Stages that need no request to the source."""
SHORT = timedelta(seconds=1)
"""A wait that is not worth a line: slots are handed out so far ahead."""
REMEDIES = {
    StopCause.KEY: "Enter a new key in Settings, then resume.",
    StopCause.CREDIT: "Add credit at the provider, or name another in Settings, then resume.",
    StopCause.PROVIDER: "Resume when it answers again; Settings has a test.",
    StopCause.DISK: "Free some room: it goes on by itself. Settings shows what takes it.",
}


class NowKind(StrEnum):
    """What the line is about; the page has an icon for each."""

    WORKING = "working"
    IN_LINE = "in_line"
    NO_WORKER = "no_worker"
    RATE = "rate"
    BLOCKED = "blocked"
    """The source asked everyone to wait."""
    ASKED = "asked"
    """The server of judge or recogniser did."""
    PAUSED = "paused"
    STOPPED = "stopped"
    QUOTA = "quota"
    ENDED = "ended"
    CANCELLED = "cancelled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """The source's minute and month as they stand."""

    rate: RateState
    requests: QuotaState
    downloads: QuotaState


@dataclass(frozen=True, slots=True)
class ServerAsks:
    """The server of judge or recogniser asked everyone to wait."""

    host: str
    until: datetime
    why: str


@dataclass(frozen=True, slots=True)
class RunNow:
    """One line for people: what is waited for, until when, and what goes on meanwhile."""

    kind: NowKind
    says: str
    about: str = ""
    stage: Stage | None = None
    """The stage that waits, where one does."""
    has_remedy: bool = False
    """Settings is where a person can do something about it."""
    until: datetime | None = None
    """When a wait for a provider ends."""
    is_own_limit: bool = False
    """The run's own limit is reached: only a launch with a higher one goes on."""


def what_now(progress: RunProgress, limits: SourceLimits | None, *, n_workers: int, at: datetime, asks: ServerAsks | None = None) -> RunNow:
    """What the run does at `at`.

    Args:
        limits: of the run's source; None for own films. n_workers: alive now. asks: None where no server asks to wait.
    """
    status = progress.run.status
    if status is RunStatus.RUNNING:
        if not n_workers:
            about = "`python run.py` starts one; so does `python run.py worker`."
            return RunNow(NowKind.NO_WORKER, "Waiting for a worker. None is alive.", about)
        asked = _asked(progress, asks, at) if asks is not None else None
        goes_on = _goes_on(progress) if asked is None else ""
        waits = _waits(progress, limits, n_workers, at, goes_on) if limits is not None else None
        return (asked if waits is None or waits.kind is NowKind.RATE else waits) or waits or _works(progress)
    if status is RunStatus.PAUSED:
        return _paused(progress)
    if status is RunStatus.WAITING_FOR_QUOTA:
        return _out_of_quota(progress, limits)
    return _ended(progress)


def _asked(progress: RunProgress, asks: ServerAsks, at: datetime) -> RunNow | None:
    """Whether a word's next step is a call to the server that asks to wait."""
    settings = progress.run.settings
    judges = {Stage.SHORTLIST.value, Stage.SCORE.value} if settings.judge == "openai" else set()
    calls = judges | ({Stage.TRANSCRIBE.value} if settings.transcriber == "openai" else set())
    waiting = next((word.stage for word in progress.words_in(WordState.WORKING) if word.stage in calls), "")
    if not waiting or asks.until <= at + SHORT:
        return None
    says = f"{asks.host} asked everyone to wait: {span_of((asks.until - at).total_seconds())} left."
    return RunNow(NowKind.ASKED, says, asks.why, Stage(waiting), until=asks.until)


def _waits(progress: RunProgress, limits: SourceLimits, n_workers: int, at: datetime, goes_on: str) -> RunNow | None:
    """Whether the next request has to wait, and for what."""
    asking = [ASKS[word.stage] for word in progress.words_in(WordState.WORKING, WordState.QUEUED) if word.stage in ASKS]
    rate = limits.rate
    if not asking or rate.next_at <= at + SHORT:
        return None
    next_call = "search" if "search" in asking else "download"
    stage = Stage.SEARCH if next_call == "search" else Stage.FETCH
    wait_s = (rate.next_at - at).total_seconds()
    if rate.blocked_until is not None and rate.blocked_until > at:
        says = f"ClipCafe asked everyone to wait: {span_of((rate.blocked_until - at).total_seconds())} left."
        return RunNow(NowKind.BLOCKED, says, " ".join(filter(None, [rate.blocked_why, goes_on])), stage, until=rate.next_at)
    shared = f", shared by {n_workers} workers" if n_workers > 1 else ""
    used = f"{len(rate.ticks):,} of {rate.limit:,} calls in the last {rate.window_s:g} s{shared}."
    says = f"Waiting for ClipCafe’s rate limit. Next {next_call} in {span_of(wait_s)}."
    return RunNow(NowKind.RATE, says, " ".join(filter(None, [used, goes_on])), stage, until=rate.next_at)


def _goes_on(progress: RunProgress) -> str:
    """`Judging and scoring go on.`: what works at this moment without a request; empty for nothing."""
    at_work = {word.stage for word in progress.words_in(WordState.WORKING)}
    names = list(dict.fromkeys(name for stage, name in GOES_ON.items() if stage in at_work))
    if not names:
        return ""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{listed.capitalize()} {'goes' if len(names) == 1 else 'go'} on."


def _works(progress: RunProgress) -> RunNow:
    working, queued = progress.words_in(WordState.WORKING), progress.words_in(WordState.QUEUED)
    if not working:
        return RunNow(NowKind.IN_LINE, "Waiting for a worker to take the next word.", f"{len(queued):,} in line.")
    others = f"{len(working):,} words at once, " if len(working) > 1 else ""
    return RunNow(NowKind.WORKING, f"{working[0].detail or 'Starting'}, for {working[0].word}.", f"{others}{len(queued):,} in line.")


def _paused(progress: RunProgress) -> RunNow:
    run = progress.run
    n_working, n_queued = len(progress.words_in(WordState.WORKING)), len(progress.words_in(WordState.QUEUED))
    cause = StopCause(run.stopped_for) if run.stopped_for else StopCause.PERSON
    if cause is not StopCause.PERSON:
        return RunNow(NowKind.STOPPED, f"Paused: {run.reason}", REMEDIES[cause], has_remedy=True)
    if n_working:
        return RunNow(NowKind.PAUSED, f"Pausing: {_words(n_working)} still in hand.", "Nothing that was done is lost.")
    return RunNow(NowKind.PAUSED, f"Paused. {_words(n_queued)} keep their place.", "Nothing that was done is lost.")


def _out_of_quota(progress: RunProgress, limits: SourceLimits | None) -> RunNow:
    """Which limit it is: the month's while that is used up, else the one that the words name."""
    waiting = progress.words_in(WordState.WAITING_FOR_QUOTA)
    n = progress.n_kept_clips or len(waiting)
    who = _clips(n) if progress.n_kept_clips else _words(n)
    waits = f"{who} {'waits' if n == 1 else 'wait'}, with {'its' if n == 1 else 'their'} place kept"
    used_up = _used_up(limits)
    if used_up is not None:
        name, until = used_up
        says = f"Month’s {name} are used up. {waits}, until {until:%-d %B}."
        return RunNow(NowKind.QUOTA, says, "Resume goes on from there. A higher plan is entered in Settings.", has_remedy=True)
    reason = _most_common_reason(waiting)
    says = f"{as_sentence(reason)} {waits}."
    if not _is_own_limit(progress.run, reason):
        return RunNow(NowKind.QUOTA, says, "Resume takes up what the limit allows by then.")
    about = "" if "higher limit" in reason else "Launch these words with a higher limit; what was judged is kept."
    return RunNow(NowKind.QUOTA, says, about, is_own_limit=True)


def _is_own_limit(run: RunRow, reason: str) -> bool:
    """Whether the words wait for what the run itself was told; a month names itself."""
    has_limit = run.settings.max_downloads is not None or run.settings.max_cost_usd is not None
    return has_limit and "month" not in reason.lower()


def _used_up(limits: SourceLimits | None) -> tuple[str, datetime] | None:
    if limits is None:
        return None
    months = (("downloads", limits.downloads), ("requests", limits.requests))
    return next(((name, quota.resets_at) for name, quota in months if quota.n_left == 0), None)


def _most_common_reason(words: Sequence[RunWordRow]) -> str:
    reasons = Counter(word.reason for word in words if word.reason)
    return reasons.most_common(1)[0][0] if reasons else "A limit is reached."


def _ended(progress: RunProgress) -> RunNow:
    run = progress.run
    n_done, n_none, n_failed = (len(progress.words_in(state)) for state in (WordState.DONE, WordState.NONE_FOUND, WordState.FAILED))
    counts = f"{_words(n_done)} with clips, {n_none:,} without, {n_failed:,} failed."
    if run.status is RunStatus.CANCELLED:
        return RunNow(NowKind.CANCELLED, f"Cancelled. {counts}")
    if run.status is RunStatus.FAILED:
        return RunNow(NowKind.FAILED, f"{run.reason or 'The run could not go on.'} {counts}")
    if run.status is RunStatus.PLANNED:
        return RunNow(NowKind.IN_LINE, "Planned. It has not begun.", f"{_words(len(progress.words))} in line.")
    return RunNow(NowKind.ENDED, f"Ended. {counts}")


def times_in_line(progress: RunProgress, limits: SourceLimits | None, *, at: datetime, n_words: int = 40) -> dict[int, float]:
    """Word id → seconds until its search can go out at the earliest, for the first words in line; downloads take slots too.

    Empty where nothing limits the source, or the run does not run.
    """
    if limits is None or progress.run.status is not RunStatus.RUNNING:
        return {}
    rate = limits.rate
    window = timedelta(seconds=rate.window_s)
    before = [word for word in progress.words_in(WordState.WORKING) if word.stage in ASKS]
    queued = [word for word in progress.words_in(WordState.QUEUED) if ASKS.get(word.stage) == "search"]
    counted, found = list(rate.ticks), {}
    for word in [*before, *queued[:n_words]]:
        earliest = max(at, rate.next_at)
        counted.append(max(earliest, counted[-rate.limit] + window) if len(counted) >= rate.limit else earliest)
        found[word.word_id] = (counted[-1] - at).total_seconds()
    return {word.word_id: found[word.word_id] for word in queued[:n_words]}


def waits_for_slot(word: RunWordRow) -> bool:
    """Whether the word's next step is a request to the source."""
    return word.stage in ASKS


def waits_for_window(word: RunWordRow) -> bool:
    """Whether its clips stand beside those of other words until the next ones are chosen."""
    return word.stage == Stage.CHOOSE


def month_note(limits: SourceLimits) -> str:
    """What a new run has to expect of a month that is used up; empty while something is left."""
    used_up = _used_up(limits)
    if used_up is None:
        return ""
    name, until = used_up
    return f"This month’s {name} are used up: what needs one waits, with its place kept, until {until:%-d %B}."


def span_of(seconds: float) -> str:
    """`4 s`, `3 min`: rounded up, so that nothing is promised too soon."""
    whole_s = max(1, -int(-seconds // 1))
    return f"{whole_s} s" if whole_s < 100 else f"{-(-whole_s // 60)} min"


def as_sentence(text: str) -> str:
    """With a full stop, unless it ends as a sentence does."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _words(n: int) -> str:
    return f"{n:,} word" if n == 1 else f"{n:,} words"


def _clips(n: int) -> str:
    return f"{n:,} clip" if n == 1 else f"{n:,} clips"
