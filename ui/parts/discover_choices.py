"""The clips that a run chose to download, window by window, each with why it was worth it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.services.run_choices import ChoiceWindow, outcome_of, read_choices
from ui.parts import page
from ui.parts.figures import count, moment
from ui.parts.markup import Markup, div, el, join, show, span, state
from ui.parts.ways import word_link

if TYPE_CHECKING:
    from core.services.run_choices import ChoiceCount
    from core.services.run_progress import RunProgress
    from core.store.choices import ChoiceRow
    from core.wiring import App

MAX_CHOICES = 60
STATES = {
    "ok": ("fact_check", "accent"),
    "chosen": ("progress_activity", "accent"),
    "waiting": ("hourglass_top", "dim"),
    "not_heard": ("hearing_disabled", "bad"),
    "failed": ("error", "bad"),
    "spare": ("inventory_2", "dim"),
}


def draw_choices(app: App, progress: RunProgress, n: ChoiceCount) -> None:
    """Newest window first."""
    if not n.n_clips:
        page.note("Nothing is chosen yet. Clips are chosen in windows, once enough words are shortlisted.")
        return
    page.note(
        "Each window takes the clips that bring the most approved words for a download, as people decided so far by score, "
        "crowding, film and level."
    )
    windows = read_choices(app.database, progress.run.run_id, limit=MAX_CHOICES)
    show(div(*[_window(window, progress) for window in windows], cls="wr-windows"))
    n_shown = sum(len(window.choices) for window in windows)
    if n_shown < n.n_clips:
        page.note(f"The newest {n_shown:,} of {n.n_clips:,} shown.")


def _window(window: ChoiceWindow, progress: RunProgress) -> Markup:
    about = f"{moment(window.chosen_at)}, {count(len(window.choices), 'clip')}, {window.expected:.1f} approved words expected"
    rows = [_choice(choice, progress) for choice in window.choices]
    return div(div(el("strong", f"Window {window.number}"), span(about), cls="head"), *rows, cls="window")


def _choice(choice: ChoiceRow, progress: RunProgress) -> Markup:
    is_demo = progress.run.is_demo
    name, colour = STATES.get(choice.outcome, ("help", "dim"))
    words = [join([", " if place else None, word_link(gain.word, is_demo=is_demo)]) for place, gain in enumerate(choice.gains)]
    return div(
        div(f"{choice.expected:.2f}", cls="n", title="Approved words expected of this download"),
        div(
            div(join(words), cls="words"),
            div(span(choice.film or choice.slug, "film"), span(f"“{choice.spoken}”"), cls="line", title=choice.spoken),
            div(f"{choice.says}.", cls="why"),
        ),
        div(state(name, outcome_of(choice, progress), colour), cls="became"),
        cls="choice",
    )
