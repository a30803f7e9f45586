"""Marks a text that talks to a language model rather than to the people in the scene. The decision stays with a person."""

from __future__ import annotations

import re
from dataclasses import replace

from core.model.clips import Feature, Verdict

ORDERS_IN_TEXT = Feature(
    "orders_in_text", "The text gives orders to a judge: watch the clip before you trust its score", 0.0, 1.0, is_good=False
)

_SIGNS = re.compile(
    r"(?:ignore|disregard|forget|override)\W+(?:\w+\W+){0,3}?(?:instruction|prompt|rule|direction)s?\b"
    r"|(?:system|developer)\W+(?:prompt|message)\b"
    r"|\byou\W+are\W+(?:now\W+)?(?:a|an|the)\W+(?:\w+\W+){0,2}?(?:assistant|language\W+model|ai)\b"
    r"|(?:give|assign|return|output|set)\W+(?:\w+\W+){0,4}?(?:scores?|relevance|json|1\.0|100\s*%)"
    r"|\bapprove\W+(?:this|the|all|every)\W+(?:clip|word|video|mapping|item)s?\b"
    r"|<\|?\W*(?:system|assistant|im_start)\b",
    re.IGNORECASE,
)


def gives_orders(text: str) -> bool:
    """Whether a text has the marks of an order to a model. It finds the plain ones; nothing depends on its finding all."""
    return _SIGNS.search(text) is not None


def marked(verdict: Verdict) -> Verdict:
    """The same verdict, with the mark that the card shows; once."""
    return verdict if ORDERS_IN_TEXT in verdict.features else replace(verdict, features=(*verdict.features, ORDERS_IN_TEXT))
