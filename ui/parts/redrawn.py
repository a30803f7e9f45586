"""Parts of a page that are drawn anew by themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

import streamlit as st

P = ParamSpec("P")


def redrawn(draw: Callable[P, None], every_s: float | None, *given: P.args, **named: P.kwargs) -> None:
    """Draw a part now, and by itself every `every_s` seconds (None: only when something in it is used).

    The part stands in a place that the page makes, not the part: when a part is drawn anew, Streamlit drops what it has not sent yet
    of the part's last drawing. Were the place among it, what stands after the part would arrive for a place that is not there
    ("Bad delta path index"), and the part would never be seen.
    """
    with st.container():
        st.fragment(draw, run_every=every_s)(*given, **named)
