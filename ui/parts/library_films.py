"""The table of films: where their words come from, and whether their files are there."""

from __future__ import annotations

from core.services.library import FilmCard
from ui.parts.figures import duration
from ui.parts.markup import Markup, chip, el, icon, join, state, table

ENGINES = {"espeak_ng": "Known from the voice that spoke it", "faster_whisper": "Heard by Whisper"}


def films_table(cards: list[FilmCard], label: str) -> Markup:
    """One row a film."""
    heads = [
        ("Film", "strong"),
        ("Year", "num"),
        ("Length", "num"),
        ("Words", "num"),
        ("Words come from", "cut"),
        ("State", "nowrap"),
        ("Path", "mono cut"),
    ]
    return table(heads, [_film(card) for card in cards], label=label, widths="20% 48px 92px 64px 22% 150px auto")


def _film(card: FilmCard) -> list[object]:
    film = card.film
    title = join([icon("science", "dim", "Demo"), " ", film.title]) if film.is_demo else film.title
    if card.is_verified_by_audio:
        words = state("hearing", ENGINES.get(card.engine, f"Heard by {card.engine.replace('_', ' ')}"), "ok")
    elif card.n_words:
        words = state("closed_caption", "Captions, not verified by the sound", "warn")
    else:
        words = state("help", "; ".join(card.notes) or "No captions and no recogniser: no word yet", "warn")
    standing = chip("link_off", "Missing", "warn") if film.state == "missing" else state("check", "Present", "dim")
    path = el("span", str(film.path), title=str(film.path))
    return [title, film.year or "", duration(film.duration_s), f"{card.n_words:,}", words, standing, path]
