"""Keys and addresses: entered once, masked from then on, tested on request. A key that was typed leaves the session at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from core.config import SECRETS
from core.errors import WordreelError
from core.services.keys import DOTS
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import moment
from ui.parts.markup import Markup, div, el, icon, show, span, state

if TYPE_CHECKING:
    from core.services.keys import KeyRow
    from core.wiring import App

SEEN_KEY = "wr_keys_seen"
"""Variable → the mark of the value that the page showed last, and which field it has.

Every submission and every change gives it a new field: what was typed goes with the old one, from the browser and from the session.
"""
FAULT_KEY = "wr_keys_fault"
"""(variable, message, hint) of what was refused, until the page was drawn again."""
AT_START = (
    ("WHISPER_MODEL", "Whisper model", "whisper_model", "captions with forced alignment time the words"),
    ("DATABASE_URL", "Database", "database_url", "SQLite in the workspace"),
    ("MEDIA_URL", "Clips are kept at", "media_url", "the workspace"),
)


def draw_keys(app: App) -> None:
    """A row for each: its field, its test and the test's result."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wr-keys-head"):
        page.section("Keys", "kept in .env.secrets beside run.py, mode 0600, and never shown again")
        with st.popover("Get a key", type="tertiary"):
            _draw_ways()
    with st.container(key="wr-keys", gap=None):
        rows = app.keys.rows()
        working = {row.kind.provider for row in rows if row.test is not None and row.test.is_ok}
        for row in rows:
            _draw_row(app, row, is_reached=row.kind.provider in working)
    st.session_state.pop(FAULT_KEY, None)
    page.note("A test of the ClipCafe key uses 1 request of the month; the others cost nothing.")
    _draw_at_start(app)


def _draw_row(app: App, row: KeyRow, *, is_reached: bool) -> None:
    seen: dict[str, tuple[str, int]] = st.session_state.setdefault(SEEN_KEY, {})
    mark, n = seen.get(row.variable, (row.mark, 0))
    seen[row.variable] = (row.mark, n + (mark != row.mark))
    field = f"key_{row.variable}_{seen[row.variable][1]}"
    with (
        st.form(f"form_{row.variable}", border=False),
        st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"wr-key-{row.variable}"),
    ):
        show(span(row.kind.label, "wr-keyname"), width=118)
        if row.is_locked:
            show(_locked(row))
        else:
            _draw_field(app, row, field)
        is_asked = st.form_submit_button(
            "Test",
            key=f"test_{row.variable}",
            help=_cost(row),
            disabled=row.is_locked and not row.can_test,
            on_click=_take,
            args=(app, row, field),
        )
        with st.container(width=28, key=f"wr-keyremove-{row.variable}"):
            if row.origin == ".env.secrets":
                _draw_remove(app, row)
            else:
                show(span("", "wr-keyremove"))
        with st.container(width=112, key=f"wr-keysaid-{row.variable}"):
            if is_asked and FAULT_KEY not in st.session_state:
                _test(app, row)
            show(_result(row, is_reached=is_reached))
    _draw_fault(row)


def _draw_field(app: App, row: KeyRow, field: str) -> None:
    st.text_input(
        row.kind.label,
        value="" if row.kind.is_secret else row.masked,
        key=field,
        type="password" if row.kind.is_secret else "default",
        placeholder=row.masked or row.kind.usual or ("Paste it here" if row.kind.is_secret else "https://"),
        label_visibility="collapsed",
        autocomplete="off",
    )
    st.form_submit_button("Save", key=f"save_{row.variable}", on_click=_take, args=(app, row, field))


def _draw_remove(app: App, row: KeyRow) -> None:
    st.form_submit_button(
        f"Remove the {row.kind.label}",
        key=f"remove_{row.variable}",
        icon=":material/delete:",
        type="tertiary",
        help=f"Remove the {row.kind.label}",
        on_click=_remove,
        args=(app, row),
    )


def _take(app: App, row: KeyRow, field: str) -> None:
    """Save what was typed, if anything was, and forget it."""
    value = "" if row.is_locked else str(st.session_state[field]).strip()
    if value == ("" if row.kind.is_secret or row.is_locked else row.masked):
        return
    if value:
        _change(row, lambda seen: app.keys.save(row.variable, value, actor(), seen=seen), "saved. It counts from the next call on")
    else:
        _remove(app, row)


def _remove(app: App, row: KeyRow) -> None:
    _change(row, lambda seen: app.keys.remove(row.variable, actor(), seen=seen), "removed")


def _change(row: KeyRow, change: Callable[[str], None], did: str) -> None:
    """Over what the page showed. What was refused is shown under the row; the field begins anew."""
    mark, n = st.session_state[SEEN_KEY][row.variable]
    st.session_state[SEEN_KEY][row.variable] = (mark, n + 1)
    try:
        change(mark)
    except WordreelError as error:
        st.session_state[FAULT_KEY] = (row.variable, error.message, error.hint)
    else:
        page.say_after_rerun(f"{row.kind.label} {did}.")


def _test(app: App, row: KeyRow) -> None:
    try:
        with st.spinner("Asking"):
            app.keys.test(row.variable, actor())
    except WordreelError as error:
        st.session_state[FAULT_KEY] = (row.variable, error.message, error.hint)
    st.rerun()


def _draw_fault(row: KeyRow) -> None:
    """Under the row: why it was not saved, else why the test failed, in words."""
    fault = st.session_state.get(FAULT_KEY)
    if fault is not None and fault[0] == row.variable:
        show(div(el("strong", fault[1]), " ", fault[2], cls="wr-keyfault bad", role="alert"))
    elif row.test is not None and not row.test.is_ok:
        show(div(row.test.says, cls="wr-keyfault bad"))


def _result(row: KeyRow, *, is_reached: bool) -> Markup:
    """What its test said; an address is reached where another test of the same provider worked."""
    test = row.test
    if test is not None:
        title = f"{moment(test.at)}: {test.says}"
        name, colour = ("check_circle", "ok") if test.is_ok else ("error", "bad")
        return el("span", state(name, f"{test.word}, {_took(test.took_ms)}", colour), cls="wr-keysaid", title=title)
    if not row.is_set:
        return span("the usual one" if row.kind.usual else "not set", "wr-keysaid dim")
    if is_reached and not row.kind.is_secret:
        return el("span", state("check_circle", "reached", "ok"), cls="wr-keysaid")
    return span("not tested yet" if row.can_test else "set", "wr-keysaid dim")


def _took(ms: int) -> str:
    return f"{ms} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def _cost(row: KeyRow) -> str:
    return f"Test uses {row.kind.test_costs}." if row.kind.test_costs != "nothing" else "A test costs nothing."


def _locked(row: KeyRow) -> Markup:
    where = f"from {row.variable}" if row.origin == "environment" else f"from {row.origin}"
    return el("code", span(row.masked), el("span", icon("lock", "", "locked here"), where), cls="wr-keybox")


def _draw_ways() -> None:
    ways = (
        ("ClipCafe", "Sign in at clip.cafe. Your account page shows the key and what your plan allows a month."),
        ("OpenAI", "Sign in at platform.openai.com and make a key under API keys. A limit of money can be set there too."),
        ("A server of your own", "Enter its address as OpenAI address; it needs a key only if it asks for one."),
        ("Backend", "Its operator names the address, and a token where a proxy asks for one."),
    )
    show(*[div(el("strong", name), span(text), cls="wr-way2") for name, text in ways])


def _draw_at_start(app: App) -> None:
    """What is read when Wordreel starts, and is changed where it is set."""
    rows = []
    for variable, label, attribute, usual in AT_START:
        value = str(getattr(app.config, attribute))
        origin = app.config.origins.get(variable, "")
        shown = (DOTS if variable in SECRETS else value) if value else usual
        where = (f"from {variable}" if origin == "environment" else f"from {origin}") if value else f"unless {variable} is set"
        rows.append(div(span(label, "name"), span(shown, "mono" if value else "dim"), span(where, "dim"), cls="wr-atstart"))
    show(div(*rows, cls="wr-atstarts"))
