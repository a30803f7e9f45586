"""The bill of a plan: judge calls, tokens, minutes of sound, and their price. Reads only; every assumption is said."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from core.model.calls import Usage
from core.model.runs import RunSettings
from core.rules.prices import ModelPrice, cost_usd, dollars, find_price
from core.services.plan_words import KnownLines, Look
from core.store import plan_rows

LEAST_LEARNT = 5
"""From fewer past calls or clips nothing is learnt: the plan says what it takes instead."""
ASSUMED_LINES = 20
"""New lines a search, until one was made."""
ASSUMED_CHARS = 120
"""Of a line, until some are known: about 20 words."""
ASSUMED_WORDS = 5
"""Words that a judge is asked about in one line: its answer names no more."""
ASSUMED_CLIP_S = 8.0
"""Of a clip, until some are known: ClipCafe's are 1–15 s."""
SPEECH_MODEL = "whisper-1"

Prices = Mapping[str, ModelPrice]


@dataclass(frozen=True, slots=True)
class PaidJudge:
    """What a plan has to know of a judge that is paid by the token."""

    prompt_version: str
    expected_usage: Callable[[int, int], Usage]
    """(characters of the line, words asked about) → what one call is likely to use."""


@dataclass(slots=True)
class Bill:
    """Figures while they are added up."""

    n_clips: int = 0
    """Clips that are fetched or cut, at most."""
    judge_calls: int = 0
    judge_calls_kept: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    is_at_least: bool = False
    basis: list[str] = field(default_factory=list)


def unpriced_models(settings: RunSettings, judge: PaidJudge | None, prices: Prices) -> tuple[str, ...]:
    """Paid models of frozen settings whose price is not known."""
    found = []
    if judge is not None and cost_usd(Usage(1, 1), find_price(settings.judge_model, prices)) is None:
        found.append(settings.judge_model)
    if settings.transcriber == "openai" and cost_usd(Usage(audio_s=1.0), find_price(_speech_model(settings), prices)) is None:
        found.append(_speech_model(settings))
    return tuple(found)


def add_judging(
    connection: Connection, look: Look, lines: KnownLines, settings: RunSettings, judge: PaidJudge, prices: Prices, bill: Bill
) -> None:
    """Lines that nobody has answered for, and clips whose text turns out different."""
    n_new = sum(bool(word.n_searches) and word_id not in look.searches for word_id, word in look.open)
    n_unread = len(lines.clip_ids) - len(lines.answers.judged)
    n_first = n_unread + _new_lines(connection, settings, n_new, bill.basis)
    bill.judge_calls_kept = len(lines.answers.judged)
    bill.judge_calls = n_first + _second_calls(connection, settings, bill)
    if bill.judge_calls:
        tokens_in, tokens_out = _tokens_a_call(connection, settings, judge, bill.basis)
        bill.tokens_in, bill.tokens_out = math.ceil(bill.judge_calls * tokens_in), math.ceil(bill.judge_calls * tokens_out)
        _add_price(settings.judge_model, Usage(bill.tokens_in, bill.tokens_out), 1, prices, bill)


def add_hearing(connection: Connection, settings: RunSettings, prices: Prices, bill: Bill) -> None:
    """Minutes of sound, where the recogniser is paid."""
    if settings.transcriber != "openai" or not bill.n_clips:
        return
    _, length_s, n_clips = plan_rows.clip_means(connection, settings.source)
    length_s = length_s if n_clips else ASSUMED_CLIP_S
    known = f"from {n_clips:,} clips" if n_clips else "an assumption: no clip is known yet"
    bill.basis.append(f"{length_s:.1f} s a clip for {_speech_model(settings)}, {known}.")
    _add_price(_speech_model(settings), Usage(audio_s=length_s), bill.n_clips, prices, bill)


def hold_to(max_cost_usd: float | None, bill: Bill) -> None:
    """Never more than the run's own limit of money: it stops before the call that would pass it."""
    if max_cost_usd is None or bill.cost_usd <= max_cost_usd:
        return
    share = max_cost_usd / bill.cost_usd
    said = f"All of it would cost {dollars(bill.cost_usd)}, {bill.judge_calls:,} judge calls; the run stops at {dollars(max_cost_usd)}."
    bill.basis.append(said)
    bill.judge_calls = math.floor(bill.judge_calls * share)
    bill.tokens_in, bill.tokens_out = math.floor(bill.tokens_in * share), math.floor(bill.tokens_out * share)
    bill.cost_usd = max_cost_usd


def _tokens_a_call(connection: Connection, settings: RunSettings, judge: PaidJudge, basis: list[str]) -> tuple[float, float]:
    """(in, out): the mean of past calls of this model and prompt, else the rules of thumb on the mean line."""
    past = plan_rows.past_calls(connection, settings.judge_model, judge.prompt_version)
    if past.n >= LEAST_LEARNT:
        basis.append(f"{past.tokens_in:,.0f} tokens in and {past.tokens_out:,.0f} out a judge call, from {past.n:,} calls.")
        return past.tokens_in, past.tokens_out
    chars, _, n_clips = plan_rows.clip_means(connection, settings.source)
    used = judge.expected_usage(round(chars if n_clips else ASSUMED_CHARS), ASSUMED_WORDS)
    tokens_in, tokens_out = used.tokens_in or 0, used.tokens_out or 0
    line = f"lines of {chars:.0f} characters, n = {n_clips:,}" if n_clips else f"lines of {ASSUMED_CHARS} characters, an assumption"
    n_past = "no call" if not past.n else "1 call" if past.n == 1 else f"{past.n} calls"
    basis.append(
        f"{tokens_in:,} tokens in and {tokens_out:,} out a judge call, by rules of thumb for {line}: "
        f"{n_past} of {settings.judge_model} with prompt {judge.prompt_version} so far."
    )
    return float(tokens_in), float(tokens_out)


def _add_price(model: str, usage: Usage, n_times: int, prices: Prices, bill: Bill) -> None:
    price = find_price(model, prices)
    found_usd = cost_usd(usage, price)
    if found_usd is None:
        bill.is_at_least = True
        bill.basis.append(f"The price of {model} is not known: the money is of the rest only.")
        return
    bill.cost_usd += found_usd * n_times
    read = f", read on {price.as_of:%-d %B %Y}" if price is not None and price.as_of is not None else ""
    bill.basis.append(f"The price of {model} is that of the table{read}.")


def _new_lines(connection: Connection, settings: RunSettings, n_searches: int, basis: list[str]) -> int:
    """Lines that searches of words which were never searched bring."""
    if not n_searches:
        return 0
    mean, n_past = plan_rows.lines_a_search(connection, settings.source)
    if n_past:
        basis.append(f"{mean:.1f} new lines a search, from {n_past:,} {'search' if n_past == 1 else 'searches'}.")
    else:
        mean = ASSUMED_LINES
        basis.append(f"{ASSUMED_LINES} new lines a search, an assumption: none was made yet.")
    return math.ceil(n_searches * min(mean, settings.max_videos))


def _second_calls(connection: Connection, settings: RunSettings, bill: Bill) -> int:
    """Calls after the recognition: only a clip whose text turns out different is judged again."""
    if not bill.n_clips:
        return 0
    n_changed, n_texts = plan_rows.text_changes(connection, settings.source, settings.transcriber)
    if n_texts < LEAST_LEARNT:
        bill.basis.append(f"Every fetched clip is judged a second time, an assumption: {n_texts} recognised so far.")
        return bill.n_clips
    bill.basis.append(f"{n_changed} of {n_texts:,} recognised texts differed from the line, and were judged a second time.")
    return math.ceil(bill.n_clips * n_changed / n_texts)


def _speech_model(settings: RunSettings) -> str:
    return settings.transcriber_model or SPEECH_MODEL
