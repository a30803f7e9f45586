"""One word: its clips side by side in the order learners see them, what is not in use, and the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import WordreelError
from core.model.clips import EvidenceState
from core.model.reviews import MappingState
from core.services.word_report import WordClip, WordReport, read_word_report
from ui.parts import page
from ui.parts.figures import count, moment
from ui.parts.markup import Markup, chip, div, el, icon, join, link, meter, pips, show, span, state, table
from ui.parts.ways import way_button

if TYPE_CHECKING:
    from core.wiring import App

STATES = {
    MappingState.APPROVED: ("check_circle", "Approved", "ok"),
    MappingState.IN_REVIEW: ("fact_check", "In review", "accent"),
    MappingState.SKIPPED: ("schedule", "Skipped", ""),
    MappingState.FLAGGED: ("flag", "Second opinion", "warn"),
    MappingState.PARKED: ("pause_circle", "Parked, word is full", ""),
    MappingState.REJECTED: ("cancel", "Rejected", "bad"),
    MappingState.PENDING_RETRACTION: ("undo", "Pending retraction", "warn"),
}
EVIDENCE = {
    EvidenceState.HEARD: ("hearing", "Heard", "ok"),
    EvidenceState.CAPTIONED: ("closed_caption", "Captioned, not verified by the sound", "warn"),
    EvidenceState.NOT_HEARD: ("hearing_disabled", "Not heard", "bad"),
}
EVENTS = {
    "approve": ("check_circle", "ok"), "reject": ("cancel", "bad"), "skip": ("schedule", "dim"), "flag": ("flag", "warn"),
    "undo": ("undo", "dim"),
    "redo": ("redo", "dim"), "searched": ("search_off", "dim"), "proposals": ("psychology", "dim"), "exported": ("cloud_done", "ok"),
}  # fmt: skip
MAX_EVENTS = 60


def draw_word(app: App, text: str) -> None:
    """Draw the page of one word."""
    want = int(app.settings.get("want"))
    try:
        report = read_word_report(app.database, text, want, is_demo="demo" in st.query_params)
    except WordreelError as error:
        show(div(link("Coverage", "/coverage", cls=""), cls="wr-crumbs"))
        page.error_box(error)
        return
    _head(report, want)
    if not report.in_use:
        page.empty("search_off", "No clip yet.", "Nothing is approved or waits for a person. A run may find clips.")
    else:
        show(div(*[_card(clip, place, report) for place, clip in enumerate(report.in_use, 1)], cls="wr-clips"))
    left, right = st.columns([0.68, 0.32], gap="large")
    with left:
        _history(report)
    with right:
        _not_in_use(report)
        _variety(report)


def _head(report: WordReport, want: int) -> None:
    first = report.bundles[0] if report.bundles else None
    chevron = icon("chevron_right")
    crumbs = [link("Coverage", "/coverage", cls="")]
    crumbs += [chevron, link(first[1], "/coverage", cls="", bundle=first[0])] if first else []
    show(div(*crumbs, chevron, report.word, cls="wr-crumbs"))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="wr-head"):
        facts = [
            el("h1", report.word, cls="wr-wordtitle"),
            span(report.pos, "dim") if report.pos else None,
            *[link(label, "/coverage", cls="wr-chip line", bundle=name) for name, label in report.bundles],
            chip("science", "Demo", "warn") if report.is_demo else None,
            el("strong", pips(min(report.n_approved, want), want, f"{report.n_approved} of {want} approved")),
        ]
        show(div(*facts, cls="wr-wordline"), width="content")
        with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small", key="wr-actions"):
            can_review = report.n_waiting > 0
            _find_more(report, is_main=not can_review)
            if can_review:
                says = f"Review {count(report.n_waiting, 'clip')}"
                way_button(says, "/review", icon_name="arrow_forward", is_icon_last=True, is_main=True, word=report.word)
    if report.definition:
        show(div(report.definition, cls="wr-note"))


def _find_more(report: WordReport, *, is_main: bool) -> None:
    """A run for this word; for a demo word one for the gaps of its bundle, since typed words are real ones."""
    if report.is_demo and report.bundles:
        way_button("Find more", "/discover", icon_name="travel_explore", is_main=is_main, gaps=report.bundles[0][0])
    else:
        way_button("Find more", "/discover", icon_name="travel_explore", is_main=is_main, run="new", typed=report.word)


def _card(clip: WordClip, place: int, report: WordReport) -> Markup:
    is_first = place == 1 and clip.state is MappingState.APPROVED
    said = "1  shown first to learners" if is_first else f"{place}"
    name, word, colour = ("cloud_done", "Live", "ok") if clip.is_live and clip.state is MappingState.APPROVED else STATES[clip.state]
    video = el(
        "video", src=f"/api/media/{clip.media_id}#t=0.1", poster=f"/api/media/{clip.still_id}" if clip.still_id else None,
        controls="controls",
        preload="none" if clip.still_id else "metadata", playsinline="playsinline", aria_label=f"{clip.title}: {report.word}",
    ) if clip.media_id else div("The file is gone.", cls="wr-note")  # fmt: skip
    stage = div(video, span(said, "wr-plate"), span(f"{clip.duration_s:.1f} s", "wr-plate r"), cls="stage")
    body = div(
        div(el("span", el("strong", clip.title), el("small", clip.year) if clip.year else None), chip(name, word, colour), cls="film"),
        div("“", *_spoken(clip), "”", cls="wr-spoken"),
        _score("Machine", clip.machine, "not judged"),
        _score(f"{clip.actor}’s score" if clip.actor and clip.score is not None else "Your score", clip.score, _unscored(clip)),
        div(clip.reason, cls="wr-reason"),
        div(_evidence(clip), cls="wr-evidence"),
        cls="body",
    )
    return div(stage, body, cls="wr-clip first" if is_first else "wr-clip")


def _spoken(clip: WordClip) -> list[object]:
    pieces: list[object] = []
    for text, is_target in clip.line:
        pieces += [" " if pieces else "", el("b", text) if is_target else text]
    return pieces


def _score(name: str, value: float | None, otherwise: str) -> Markup:
    if value is None:
        return div(span(name), span(otherwise, "dim", style="grid-column: 2 / 4"), cls="wr-score")
    return div(span(name), meter(value), el("b", f"{value:.2f}"), cls="wr-score")


def _unscored(clip: WordClip) -> str:
    return "approved as the machine scored it" if clip.state is MappingState.APPROVED else "not judged yet"


def _evidence(clip: WordClip) -> Markup:
    name, word, colour = EVIDENCE[clip.evidence]
    if clip.heard_at_s is not None and clip.evidence is EvidenceState.HEARD:
        word = f"Heard at {clip.heard_at_s:.2f} s" + (f", p {clip.probability:.2f}" if clip.probability is not None else "")
    elif clip.heard_at_s is not None:
        word = f"Captioned at {clip.heard_at_s:.2f} s, listen"
    return state(name, word, colour)


def _history(report: WordReport) -> None:
    page.section("History")
    if not report.history:
        page.note("Nothing was proposed or decided yet.")
        return
    rows = [
        [moment(event.at), event.who, el("span", icon(*EVENTS[event.kind]), span(event.what, "ink"), cls="wr-state"), event.where]
        for event in report.history[:MAX_EVENTS]
    ]
    heads = [("When", "nowrap"), ("Who", "nowrap"), ("What", "cut"), ("Where", "cut")]
    show(table(heads, rows, label="History", widths="104px 100px 38% auto"))


def _not_in_use(report: WordReport) -> None:
    page.section("Not in use")
    if not report.not_in_use:
        page.note("No clip of this word was rejected.")
    for clip in report.not_in_use[:12]:
        still = el("img", src=f"/api/media/{clip.still_id}", alt="", loading="lazy") if clip.still_id else el("img", alt="")
        said = ", ".join(reason.replace("_", " ") for reason in clip.reject_reasons).capitalize()
        name, word, colour = STATES[clip.state]
        line = " ".join(text for text, _ in clip.line)
        about = div(el("strong", clip.title), f" {clip.year}" if clip.year else None, span(f"“{line}”", title=line))
        show(div(still, about, chip(name, said or word, colour), cls="wr-unused"))


def _variety(report: WordReport) -> None:
    if not report.in_use:
        return
    page.section("Variety")
    films = sorted({(clip.title, clip.year) for clip in report.in_use})
    years = sorted({year for _, year in films if year})
    span_of_years = f", {years[0]} to {years[-1]}" if len(years) > 1 else f", {years[0]}" if years else ""
    forms = [join([el("strong", form), f" {'once' if n == 1 else f'{n} times'}"]) for form, n in report.forms]
    listed: list[object] = []
    for form in forms:
        listed += [", " if listed else "", form]
    show(div(f"{count(len(films), 'film')}{span_of_years}. ", *(["Forms: ", *listed, "."] if listed else []), cls="wr-note"))
