"""The histogram of relevance scores with the rule."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.parts import page

BIN = 0.05


def draw_scores(scores: Sequence[float], rule: float) -> None:
    """Proposals by relevance; those under the rule are paler, and the rule is a dashed line with its name."""
    page.section("Relevance scores", f"n = {len(scores):,} proposals")
    if not scores:
        page.note("No proposal yet.")
        return
    import plotly.graph_objects as go

    n_bins = round(1 / BIN)
    counts = [0] * n_bins
    for score in scores:
        counts[min(n_bins - 1, int(score / BIN + 1e-9))] += 1
    middles = [(place + 0.5) * BIN for place in range(n_bins)]
    colours = [page.token("proposed" if middle < rule else "approved") for middle in middles]
    tips = [f"{place * BIN:.2f}–{(place + 1) * BIN:.2f}: {n}" for place, n in enumerate(counts)]
    figure = go.Figure(
        go.Bar(x=middles, y=counts, width=BIN * 0.86, marker_color=colours, hovertext=tips, hoverinfo="text", marker_line_width=0)
    )
    figure.add_vline(x=rule, line_dash="dash", line_width=1.5, line_color=page.token("ink"))
    ink, line = page.token("ink-3"), page.token("line")
    figure.add_annotation(
        x=rule,
        y=1.08,
        yref="paper",
        xanchor="right",
        xshift=-4,
        text=f"rule {rule:.2f}",
        showarrow=False,
        font={"size": 12, "color": page.token("ink")},
    )
    figure.update_layout(
        height=230, margin={"l": 28, "r": 4, "t": 22, "b": 22}, paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        showlegend=False,
        font={"family": "Inter, sans-serif", "size": 11, "color": ink}, bargap=0,
        xaxis={"range": [0, 1], "tickvals": [0, 0.25, 0.5, 0.75, 1], "showgrid": False, "zeroline": False, "fixedrange": True},
        yaxis={"rangemode": "tozero", "gridcolor": line, "zeroline": False, "fixedrange": True, "nticks": 4, "tickformat": ",d"},
    )  # fmt: skip
    alt = f"Histogram of {len(scores)} relevance scores from 0 to 1; {sum(score >= rule for score in scores)} reach the rule {rule:.2f}."
    st.plotly_chart(figure, theme=None, config={"displayModeBar": False}, key="scores", alt=alt)
