"""The table of bundles with nested bars, and the way of a bundle's words to learners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ui.parts import page
from ui.parts.figures import percent
from ui.parts.markup import Markup, div, el, icon, join, link, show, span, table

if TYPE_CHECKING:
    from core.services.coverage import BundleCoverage
    from core.services.coverage_report import BundleReport


def draw_bundles(covered: Sequence[BundleCoverage], labels: Mapping[str, str], chosen: str) -> None:
    """One row a bundle; its name shows its words below."""

    def key(k: int) -> Markup:
        return el("span", el("b", cls=f"k{k}"), f"{k}", cls="wr-key")

    heads = [
        ("Bundle", "strong"), ("Words", "num"), ("Share with at least 1, 2, 3 approved clips", "wide"),
        (key(1), "num"), (key(2), "num"), (key(3), "num"), ("Live", "num"), ("Without", "num"),
    ]  # fmt: skip
    rows = [_row(row, labels.get(row.bundle, row.bundle)) for row in covered]
    marked = next((place for place, row in enumerate(covered) if row.bundle == chosen), None)
    show(table(heads, rows, label="Bundles", widths="24% 56px auto 58px 58px 58px 56px 66px", marked=marked))


def _row(row: BundleCoverage, label: str) -> list[object]:
    name = link(label, "/coverage", cls="wr-word", bundle=row.bundle)
    bars = [el("b", cls=f"k{k}", style=f"width:{100 * row.approved[k] / row.words if row.words else 0:.2f}%") for k in sorted(row.approved)]
    figures = [percent(row.approved[k], row.words) for k in sorted(row.approved)]
    said = ", ".join(f"{figure} with {k}" for k, figure in zip(sorted(row.approved), figures, strict=True))
    return [
        join([icon("science", "dim", "Demo"), " ", name]) if row.is_demo else name,
        f"{row.words:,}",
        el("span", *bars, cls="wr-nested", role="img", aria_label=said),
        el("strong", figures[0]),
        *figures[1:],
        f"{row.live:,}",
        f"{row.words - row.approved[min(row.approved)]:,}",
    ]


def draw_way(row: BundleCoverage, report: BundleReport, label: str) -> None:
    """Words, proposed, sent to review, approved, live: each bar holds the next."""
    page.section(f"{label}, from word to learner")
    steps = [
        ("Words", report.n_words, "words"),
        ("Proposed", len(report.proposed_ids), "proposed"),
        ("Sent to review", report.n_sent, "in_review"),
        ("Approved", row.approved[1], "approved"),
        ("Live", row.live, "exported"),
    ]
    cells: list[Markup] = []
    for name, n, colour in steps:
        share = f"width:{100 * n / report.n_words if report.n_words else 0:.2f}%"
        cells += [span(name, "name"), span(el("b", cls=f"q-{colour}", style=share), "bar"), span(f"{n:,}", "n")]
    show(div(*cells, cls="wr-way"))
    page.note(_rest(row))


def _rest(row: BundleCoverage) -> str:
    """Why words have no approved clip, largest reason first, in one line."""
    words = {
        "in_review": "in review", "not_searched": "never searched", "none_found": "none found",
        "exhausted": "all rejected", "failed": "failed", "waiting_for_quota": "waiting for a quota",
    }  # fmt: skip
    parts = [f"{n:,} {words[name]}" for name, n in sorted(row.reasons.items(), key=lambda item: -item[1]) if n]
    return f"Without an approved clip: {', '.join(parts)}." if parts else "Every word has an approved clip."
