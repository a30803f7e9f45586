"""What a paid call costs, and what one is likely to: prices by model, and tokens guessed from characters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from core.errors import InvalidInput
from core.model.calls import Usage

MAX_MODEL_CHARS = 200

CHARS_A_TOKEN = 4.0
"""English prose. Source: OpenAI's own rule of thumb for its tokenizers."""

TOKENS_A_VERDICT = 60
"""One item of a judge's answer: six fields, a reason of up to fifteen words."""

MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """US dollars for what one model reads, writes or listens to; None where it is not paid so."""

    model: str
    in_usd: float | None = None
    """A million tokens (for a voice: characters) in."""
    out_usd: float | None = None
    """A million tokens out."""
    cached_usd: float | None = None
    """A million tokens in that the provider's cache served; None: as `in_usd`."""
    minute_usd: float | None = None
    """A minute of sound, by the second."""
    as_of: date | None = None
    """When the price was read; the operator's own edit carries its day."""


FIGURES = ("in_usd", "out_usd", "cached_usd", "minute_usd")

PRICED_ON = date(2026, 6, 21)
"""The defaults are OpenAI's list prices of that day. Prices change: the operator checks and edits them in Settings."""

DEFAULT_PRICES: Mapping[str, ModelPrice] = {
    price.model: price
    for price in (
        ModelPrice("gpt-4o-mini", 0.15, 0.60, 0.075, as_of=PRICED_ON),
        ModelPrice("gpt-4o", 2.50, 10.00, 1.25, as_of=PRICED_ON),
        ModelPrice("gpt-4.1", 2.00, 8.00, 0.50, as_of=PRICED_ON),
        ModelPrice("gpt-4.1-mini", 0.40, 1.60, 0.10, as_of=PRICED_ON),
        ModelPrice("gpt-4.1-nano", 0.10, 0.40, 0.025, as_of=PRICED_ON),
        ModelPrice("text-embedding-3-small", 0.02, 0.0, as_of=PRICED_ON),
        ModelPrice("text-embedding-3-large", 0.13, 0.0, as_of=PRICED_ON),
        ModelPrice("tts-1", 15.0, 0.0, as_of=PRICED_ON),
        ModelPrice("tts-1-hd", 30.0, 0.0, as_of=PRICED_ON),
        ModelPrice("whisper-1", minute_usd=0.006, as_of=PRICED_ON),
    )
}


def checked_price(price: ModelPrice) -> ModelPrice:
    """The same price. Raises: InvalidInput unless it names a model and every figure is finite and at least 0."""
    figures = (price.in_usd, price.out_usd, price.cached_usd, price.minute_usd)
    if not price.model.strip() or len(price.model) > MAX_MODEL_CHARS or not price.model.isprintable():
        raise InvalidInput(f"A price needs the name of its model, at most {MAX_MODEL_CHARS} characters.")
    if any(figure is not None and not (math.isfinite(figure) and figure >= 0) for figure in figures):
        raise InvalidInput(f"The price of {price.model} is not a number of at least 0.", hint="Give US dollars, such as 0.15.")
    return price


def price_table(edits: Iterable[ModelPrice] = ()) -> dict[str, ModelPrice]:
    """The defaults with the operator's edits over them, in the order in which they were made. Raises: InvalidInput."""
    return {**DEFAULT_PRICES, **{price.model: checked_price(price) for price in edits}}


def price_edits(value: object) -> list[ModelPrice]:
    """The operator's edits as the setting `prices` keeps them, in their order. Raises: InvalidInput."""
    if not isinstance(value, list):
        raise InvalidInput("Prices are a list, one object for each model.")
    return [_read_price(row) for row in value]


def price_json(price: ModelPrice) -> dict[str, str | float | None]:
    """One edit as the setting `prices` keeps it; `price_edits` reads it."""
    figures = {name: getattr(price, name) for name in FIGURES}
    return {"model": price.model, **figures, "as_of": None if price.as_of is None else price.as_of.isoformat()}


def _read_price(row: object) -> ModelPrice:
    if not isinstance(row, dict) or not isinstance(row.get("model"), str):
        raise InvalidInput("A price needs the name of its model.")
    model, day = str(row["model"]), row.get("as_of")
    unknown = set(row) - {"model", "as_of", *FIGURES}
    figures = {name: row.get(name) for name in FIGURES}
    if unknown or any(
        figure is not None and (isinstance(figure, bool) or not isinstance(figure, int | float)) for figure in figures.values()
    ):
        raise InvalidInput(
            f"The price of {model[:MAX_MODEL_CHARS]} is not numbers under {', '.join(FIGURES)}.", hint="Give US dollars, such as 0.15."
        )
    try:
        as_of = None if day is None else date.fromisoformat(day)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"The price of {model[:MAX_MODEL_CHARS]} names no day such as 2026-06-21.") from error
    return checked_price(ModelPrice(model, as_of=as_of, **figures))


def find_price(model: str, prices: Mapping[str, ModelPrice]) -> ModelPrice | None:
    """The price of a model, or of the model that it is a dated snapshot of (`gpt-4o-mini-2024-07-18`); None if not known."""
    return prices.get(model) or prices.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model))


def cost_usd(usage: Usage, price: ModelPrice | None) -> float | None:
    """What one call cost; None when its price or a part of its usage is not known ("at least")."""
    if price is None:
        return None
    if price.minute_usd is not None:
        return None if usage.audio_s is None else math.ceil(usage.audio_s) / 60.0 * price.minute_usd
    if usage.tokens_in is None or usage.tokens_out is None or price.in_usd is None or price.out_usd is None:
        return None
    cached = min(max(usage.tokens_cached, 0), usage.tokens_in)
    cached_usd = price.in_usd if price.cached_usd is None else price.cached_usd
    return ((usage.tokens_in - cached) * price.in_usd + cached * cached_usd + usage.tokens_out * price.out_usd) / MILLION


def dollars(usd: float) -> str:
    """`$0.28`; under ten cents, where a cent says too little, `$0.0034`."""
    return f"${usd:.4f}" if 0 < usd < 0.1 and round(usd, 2) != round(usd, 6) else f"${usd:,.2f}"


def say_tokens(n: float) -> str:
    """`850`, `214 k`, `1.25 M`."""
    if n < 10_000:
        return f"{n:,.0f}"
    return f"{n / 1000:,.0f} k" if n < 999_500 else f"{n / 1_000_000:,.2f} M"


def likely_usage(chars_in: int, n_words: int) -> Usage:
    """What one judge's call is likely to use, by the rules of thumb; nothing is taken to be cached.

    Args:
        chars_in: everything that is sent: prompt, schema and clip.
        n_words: words that it is asked about.
    """
    return Usage(math.ceil(chars_in / CHARS_A_TOKEN), n_words * TOKENS_A_VERDICT)
