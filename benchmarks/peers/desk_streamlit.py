"""The peer of `benchmarks/desk`: the same clips judged on a page of `st.video` and `st.button`, as Streamlit offers it.

Started by the benchmark with `streamlit run`; the folder of clips is in WORDREEL_BENCH_CLIPS.
"""

from __future__ import annotations

import os
from pathlib import Path

import streamlit as st

st.set_page_config(page_title="Peer", layout="wide")
clips = sorted(Path(os.environ["WORDREEL_BENCH_CLIPS"]).glob("*.mp4"))
place = st.session_state.setdefault("place", 0)
st.subheader(f"Clip {place + 1}")
st.video(str(clips[place % len(clips)]), autoplay=True, muted=True)
columns = st.columns(3)
for column, (label, key) in zip(columns, (("Approve", "a"), ("Reject", "x"), ("Skip", "s")), strict=True):
    if column.button(label, shortcut=key, key=label):
        st.session_state.setdefault("decisions", []).append((place, label))
        st.session_state["place"] = place + 1
        st.rerun()
