"""Library: the films of the user's own folders, read in place, and taking in more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import InvalidInput, NotFound, WordreelError
from core.services.library import FILM_SUFFIXES
from ui.cli.session import actor
from ui.parts import page
from ui.parts.figures import count
from ui.parts.library_films import films_table
from ui.parts.markup import div, el, icon, meter, show, span, state, table
from ui.parts.redrawn import redrawn

if TYPE_CHECKING:
    from core.store.runs import JobRow
    from core.wiring import App

EVERY_S = 1.0
ENDED = ("succeeded", "failed", "cancelled")
OUTCOMES = {
    "ingested": ("check_circle", "Taken in", "ok"),
    "known": ("check", "Known already", "dim"),
    "failed": ("error", "Failed", "bad"),
}


def render(app: App) -> None:
    """Draw the page."""
    page.begin()
    cards = app.library.films()
    n_words = sum(card.n_words for card in cards)
    about = f"{count(len(cards), 'film')} · {n_words:,} words heard or captioned · read in place" if cards else ""
    job_id = st.query_params.get("job", "")
    with page.head("Library", about) as (_, actions):
        if cards:
            with actions, st.popover("Add films", icon=":material/create_new_folder:", type="primary", key=f"add_films_{job_id}"):
                _add(app, f"popover_{job_id}", is_main=False)
    page.said()
    if job_id:
        _follow(app, job_id)
    if not cards:
        _nothing_yet(app)
        return
    own = [card for card in cards if not card.film.is_demo]
    demo = [card for card in cards if card.film.is_demo]
    if own:
        page.section("Own films", "read in place, never changed")
        show(films_table(own, "Own films"))
    else:
        page.note("No film of your own yet. Add a folder: nothing is copied, and your files are never changed.", "info")
    if demo:
        page.section("Demo films", "made on this machine, for demo bundles only")
        show(films_table(demo, "Demo films"))


def _nothing_yet(app: App) -> None:
    about = "Point at a folder. Needs no key; files stay where they are. Captions beside a film (SRT, VTT) or in it are read."
    page.empty("video_library", "No film yet.", about)
    with st.container(border=True, key="wr-plan", width=560):
        _add(app, "empty", is_main=True)


def _add(app: App, key: str, *, is_main: bool) -> None:
    """Paths on the server's disk; every one is checked before anything is queued."""
    text = st.text_area(
        "Files or folders on this machine", key=f"paths_{key}", height=92, placeholder="/films/Harbour Point (1994).mp4\n/films/series"
    )
    page.note(f"Folders with all that is in them: {', '.join(sorted(suffix[1:] for suffix in FILM_SUFFIXES))}.")
    if st.button("Take them in", key=f"add_{key}", type="primary" if is_main else "secondary", icon=":material/add:"):
        try:
            if not text.strip():
                raise InvalidInput("No path was typed.", hint="Type a file or a folder of this machine, one a line.")
            job_id = app.library.ingest([Path(line.strip()) for line in text.splitlines() if line.strip()], actor=actor())
        except WordreelError as error:
            page.error_box(error)
            return
        st.query_params["job"] = job_id
        st.rerun()


def _follow(app: App, job_id: str) -> None:
    try:
        is_open = app.library.job(job_id).status not in ENDED
    except NotFound as error:
        page.error_box(error)
        return
    redrawn(_draw_job, EVERY_S if is_open else None, app, job_id, is_open)


def _draw_job(app: App, job_id: str, was_open: bool) -> None:
    job = app.library.job(job_id)
    if job.status not in ENDED:
        says = job.detail or "Waiting for a worker"
        bar = div(
            el("strong", f"{says}, {job.done} of {count(job.total, 'file')}"),
            meter(job.done / job.total if job.total else 0),
            style="flex:1",
        )
        show(div(icon("progress_activity"), bar, cls="wr-line", role="status"))
    elif was_open:
        st.rerun()
    else:
        _outcome(job)


def _outcome(job: JobRow) -> None:
    files = (job.result or {}).get("files", [])
    if job.status == "failed":
        show(div(icon("error"), div(el("strong", "Taking films in failed."), span(job.reason)), cls="wr-error", role="alert"))
    if not files:
        page.note("No film was found there.", "search_off")
    page.section("Taken in", f"{sum(file['status'] != 'failed' for file in files)} of {count(job.total, 'file')}")
    heads = [("File", "mono cut"), ("Outcome", "nowrap"), ("What is missing", "cut")]
    rows = [
        [el("span", file["path"], title=file["path"]), state(*OUTCOMES[file["status"]]), el("span", file["reason"], title=file["reason"])]
        for file in files
    ]
    if rows:
        show(table(heads, rows, label="Files of this job", widths="44% 140px auto"))
