"""What paid calls cost: the list prices, the operator's edits over them, and what is not known."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import InvalidInput
from core.rules.prices import DEFAULT_PRICES, PRICED_ON, ModelPrice, find_price, price_edits, price_json, price_table
from core.timing import now
from ui.cli.session import actor
from ui.parts import page
from ui.parts.markup import el, show, span, table
from ui.parts.settings_provider import NO_JUDGE

if TYPE_CHECKING:
    from core.services.settings import SettingsChange
    from core.wiring import App

SEEN_KEY = "wr_prices_seen"
"""The event that the table showed last; 0 for the list prices."""
HEARS = "whisper-1"
THOUSANDS = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
TOKENS, SOUND = "Tokens", "Minutes of sound"


def draw_prices(app: App) -> None:
    """One row a model that can be used, the ones in use first; a price that is missing reads "not known"."""
    newest = app.settings.newest().get("prices")
    edits = price_edits(newest.value) if newest is not None else []
    event_id = newest.event_id if newest is not None else 0
    seen = st.session_state.get(SEEN_KEY, event_id)
    st.session_state[SEEN_KEY] = event_id
    prices = price_table(edits)
    uses = _uses(app)
    models = _models(prices, uses, {price.model for price in edits})
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wr-prices-head"):
        page.section("Prices in US dollars")
        show(span(_checked_on(newest), "wr-about"), width="content")
        with st.popover("Edit", type="tertiary", key="edit_prices"):
            _draw_form(app, models, prices, {price.model for price in edits}, seen)
    rows = [_row(model, uses.get(model, "not used"), find_price(model, prices)) for model in models]
    heads = [
        ("Model", "ink cut0"),
        ("For", "nowrap"),
        ("In", "num"),
        ("Cached", "num"),
        ("Out", "num"),
        ("per", "nowrap"),
        ("As of", "num dim"),
    ]
    show(table(heads, rows, label="Prices", widths="auto 60px 72px 56px 72px 72px 46px"))
    page.note("A missing price turns every sum it is part of into “at least”.")


def _uses(app: App) -> dict[str, str]:
    """Model → what it is used for now."""
    config = app.config
    has_server = bool(config.openai_api_key or config.openai_base_url)
    found = {config.judge_model: "judge"} if config.judge == "openai" or (has_server and not config.judge) else {}
    return found | ({HEARS: "speech"} if config.transcriber == "openai" else {})


def _models(prices: dict[str, ModelPrice], uses: dict[str, str], edited: set[str]) -> list[str]:
    can_use = [model for model in prices if model in edited or model == HEARS or not NO_JUDGE.search(model)]
    return list(dict.fromkeys([*uses, *can_use]))


def _checked_on(newest: SettingsChange | None) -> str:
    if newest is None:
        return f"list prices of {PRICED_ON:%-d %B %Y}"
    return f"checked {newest.set_at.astimezone():%-d %b} by {newest.actor}"


def _row(model: str, use: str, price: ModelPrice | None) -> list[object]:
    unknown = span("not known", "warn")
    is_sound = price is not None and price.minute_usd is not None
    into = None if price is None else price.minute_usd if is_sound else price.in_usd
    out = None if price is None or is_sound else price.out_usd
    cached = None if price is None or is_sound else price.cached_usd
    as_of = "–" if price is None or price.as_of is None else el("span", f"{price.as_of:%-d %b}", title=f"{price.as_of:%-d %B %Y}")
    return [
        el("span", model, title=model),
        use,
        unknown if into is None else _usd(into),
        "–" if cached is None else _usd(cached),
        "–" if is_sound else unknown if out is None else _usd(out),
        "minute" if is_sound else "1M tokens",
        as_of,
    ]


def _usd(value: float) -> str:
    """`0.15`, `2.50`, `0.006`: two places, more where they count."""
    text = f"{value:,.4f}".rstrip("0")
    whole, _, part = text.partition(".")
    return f"{whole}.{part:0<2}"


def _draw_form(app: App, models: list[str], prices: dict[str, ModelPrice], edited: set[str], seen: int) -> None:
    """One model at a time; an empty figure is not known. The fields begin anew when the list was changed."""
    model = st.selectbox("Model", models, key="price_model", accept_new_options=True, help="A model's name can be typed.") or ""
    price = find_price(model, prices) or ModelPrice(model)
    kinds = [TOKENS, SOUND]
    paid = st.segmented_control(
        "Paid by", kinds, default=SOUND if price.minute_usd is not None else TOKENS, required=True, key=f"price_kind_{model}_{seen}"
    )
    with st.form("price_form", border=False):
        if paid == SOUND:
            texts = {"minute_usd": _ask("A minute of sound, $", price.minute_usd, f"price_minute_{model}_{seen}")}
        else:
            texts = {
                "in_usd": _ask("A million tokens in, $", price.in_usd, f"price_in_{model}_{seen}"),
                "out_usd": _ask("A million tokens out, $", price.out_usd, f"price_out_{model}_{seen}"),
                "cached_usd": _ask("A million cached tokens in, $", price.cached_usd, f"price_cached_{model}_{seen}", "as tokens in"),
            }
        if st.form_submit_button("Save price"):
            with page.shown_errors():
                figures = {name: _figure(model, text) for name, text in texts.items()}
                _save(app, ModelPrice(model.strip(), as_of=_today(), **figures), seen)
    if model in edited and st.button("Take back" if model not in DEFAULT_PRICES else "Back to the list price", key="price_back"):
        _save(app, ModelPrice(model), seen, is_gone=True)


def _ask(label: str, value: float | None, key: str, placeholder: str = "not known") -> str:
    """A field of text: one for numbers cannot be emptied once it has a value."""
    return st.text_input(label, value="" if value is None else _usd(value), key=key, placeholder=placeholder)


def _figure(model: str, text: str) -> float | None:
    """US dollars, None where nothing stands. Raises: InvalidInput."""
    text = text.strip().removeprefix("$").strip()
    if not text:
        return None
    if THOUSANDS.fullmatch(text):  # any other comma may be meant as a decimal point
        text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        raise InvalidInput(f"The price of {model} is not a number: {text[:40]!r}.", hint="Give US dollars, such as 0.15.") from None


def _save(app: App, price: ModelPrice, seen: int, *, is_gone: bool = False) -> None:
    """Over what the table showed. A conflict is shown and saves nothing."""
    with page.shown_errors():
        kept = [known for known in price_edits(app.settings.get("prices")) if known.model != price.model]
        edits = [price_json(known) for known in (kept if is_gone else [*kept, price])]
        app.settings.change({"prices": edits}, actor=actor(), seen={"prices": seen})
        page.say_after_rerun(f"The price of {price.model} is {'as listed' if is_gone else 'saved'}.")
        st.rerun()


def _today() -> date:
    return now().astimezone().date()
