"""Parts that draw themselves anew, in the order in which Streamlit sends what they draw."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.testing.v1 import AppTest

UI = Path(__file__).parents[2] / "ui"


def page() -> None:
    import streamlit as st

    from ui.parts.redrawn import redrawn

    st.write("first")
    redrawn(lambda: st.write("part"), None)
    st.write("after")


def bare() -> None:
    import streamlit as st

    st.write("first")
    st.fragment(lambda: st.write("part"))()
    st.write("after")


@pytest.mark.parametrize(("script", "arrives_whole"), [(page, True), (bare, False)])
def test_what_stands_after_a_part_finds_its_place_when_the_part_is_drawn_anew_before_it_was_sent(script, arrives_whole: bool) -> None:
    """Streamlit's queue forgets what a part drew when the part runs again; the places that are left must have none missing before them."""
    queue, fragment_id = drawn(script)
    queue.clear(retain_lifecycle_msgs=True, fragment_ids_this_run=[fragment_id])
    places = [message.metadata.delta_path for message in queue.flush() if message.WhichOneof("type") == "delta"]
    at_top = [path[1] for path in places if path[0] == 0 and len(path) == 2]
    assert (at_top == list(range(len(at_top)))) is arrives_whole, at_top


def drawn(script) -> tuple[ForwardMsgQueue, str]:  # type: ignore[no-untyped-def]
    """All that one run of the script draws, as it waits to be sent; and the id of its part."""
    ran = AppTest.from_function(script)
    queue, fragment_ids = ForwardMsgQueue(), set()
    messages: list[ForwardMsg] = []
    ran_queue = ForwardMsgQueue.enqueue

    def keep(self: ForwardMsgQueue, message: ForwardMsg) -> None:
        messages.append(message)
        ran_queue(self, message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ForwardMsgQueue, "enqueue", keep)
        ran.run()
    assert not ran.exception
    for message in messages:
        queue.enqueue(message)
        if message.WhichOneof("type") == "delta" and message.delta.fragment_id:
            fragment_ids.add(message.delta.fragment_id)
    [fragment_id] = fragment_ids
    return queue, fragment_id


def test_only_redrawn_makes_such_parts() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in UI.rglob("*.py")}
    assert [name for name, source in sources.items() if "st.fragment" in source] == ["redrawn.py"]
