"""Reads what a language model answers as verdicts, item by item, without trusting any of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from core.model.clips import Scores, Verdict
from core.model.vocabulary import Level
from core.rules.answers import plain_message
from core.rules.word_keys import word_key

MOST_WORDS_A_CLIP = 5
MAX_ANSWER_CHARS = 64_000
SCORES = ("education", "context", "relevance")
CUT_OFF = "length"
"""The `finish_reason` of an answer that reached its limit of tokens."""


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """What an answer holds."""

    verdicts: tuple[Verdict, ...]
    """Valid items, best first, at most five; empty is an answer too: no word is good."""
    dropped: tuple[str, ...]
    """Why each invalid item is not among them; no text of the answer beyond the word it names."""
    fault: str = ""
    """Why the answer as a whole cannot be used; empty when it can."""


def read_verdicts(content: object, asked: Sequence[str], *, finish_reason: str = "", refusal: object = None) -> ReadAnswer:
    """The valid verdicts of a judge's answer on the words `asked` (those that are spoken).

    An answer that was cut off keeps the items before the cut. It has a fault when it is a refusal, no JSON of the asked
    form, or has items of which none is valid; a complete answer without items has none.
    """
    if isinstance(refusal, str) and refusal.strip():
        return ReadAnswer((), (), f"The model refused: {plain_message(refusal)[:120]}")
    if not isinstance(content, str) or not content.strip():
        return ReadAnswer((), (), "The answer is empty.")
    if len(content) > MAX_ANSWER_CHARS:
        return ReadAnswer((), (), f"The answer is longer than {MAX_ANSWER_CHARS} characters.")
    items, is_whole = _items_of(content)
    if items is None:
        what = "was cut off" if finish_reason == CUT_OFF else "is not the JSON that was asked for"
        return ReadAnswer((), (), f"The answer {what}.")
    is_cut = finish_reason == CUT_OFF or not is_whole
    found, dropped = _read_items(items, asked)
    if is_cut:
        dropped.append("The answer was cut off or broken; what follows is lost.")
    if not found and (items or is_cut):
        return ReadAnswer((), tuple(dropped), f"No item of the answer can be used. {dropped[0]}")
    best = sorted(found, key=lambda verdict: (-verdict.scores.relevance, -verdict.scores.context, verdict.word))
    dropped += [f"{verdict.word!r} is beyond the five best." for verdict in best[MOST_WORDS_A_CLIP:]]
    return ReadAnswer(tuple(best[:MOST_WORDS_A_CLIP]), tuple(dropped))


def _read_items(items: Sequence[object], asked: Sequence[str]) -> tuple[list[Verdict], list[str]]:
    by_key = {word_key(word): word for word in asked}
    found: dict[str, Verdict] = {}
    dropped: list[str] = []
    for item in items:
        verdict, why = _read_item(item, by_key)
        if verdict is None:
            dropped.append(why)
        elif verdict.word in found:
            dropped.append(f"{verdict.word!r} is judged twice; the first counts.")
        else:
            found[verdict.word] = verdict
    return list(found.values()), dropped


def _read_item(item: object, by_key: dict[str, str]) -> tuple[Verdict | None, str]:
    """The verdict, or why there is none."""
    if not isinstance(item, dict) or not isinstance(item.get("word"), str):
        return None, "An item names no word."
    shown = repr(plain_message(item["word"])[:60])
    word = by_key.get(word_key(item["word"]))
    if word is None:
        return None, f"{shown} is not spoken, or was not asked for."
    values = [_score(item.get(name)) for name in SCORES]
    if None in values:
        return None, f"{shown}: its {SCORES[values.index(None)]} is not a number from 0 to 1."
    difficulty = item.get("difficulty")
    if difficulty not in list(Level):
        return None, f"{shown}: its difficulty is none of {', '.join(Level)}."
    reason = _reason(item.get("reason"))
    if not reason:
        return None, f"{shown} has no reason."
    education, context, relevance = (value for value in values if value is not None)
    return Verdict(word, Scores(education, context, relevance), reason, str(difficulty)), ""


def _reason(value: object) -> str:
    """One line that ends with a full stop and that every store can carry; empty if there is none."""
    line = plain_message(value.encode("utf-8", "ignore").decode("utf-8")).rstrip(".!?… ") if isinstance(value, str) else ""
    return line + "." if line else ""


def _score(value: object) -> float | None:
    """A number from 0 to 1; NaN, infinity, text and true are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= 1 else None


def _items_of(content: str) -> tuple[list[object] | None, bool]:
    """The items of the answer's one array, and whether it is whole; None if there is no such array."""
    try:
        answer: Any = json.loads(content)
    except (ValueError, RecursionError):
        started = content.find("[", content.find('"words"')) if '"words"' in content else -1
        return (None, False) if started < 0 else (list(_whole_items(content, started + 1)), False)
    items = answer.get("words") if isinstance(answer, dict) else None
    return (items, True) if isinstance(items, list) else (None, True)


def _whole_items(content: str, at: int) -> Iterator[object]:
    """The items of a broken array, up to the first that does not end."""
    decoder = json.JSONDecoder()
    while at < len(content):
        while at < len(content) and content[at] in " \t\r\n,":
            at += 1
        try:
            item, at = decoder.raw_decode(content, at)
        except (ValueError, RecursionError):
            return
        yield item
