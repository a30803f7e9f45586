"""A run or an export that is cancelled or paused in the middle of a call, twice, and taken up again: FAULTS.md 39."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from core.adapters.target_fake import FakeTarget, Fault
from core.model.export_reports import ReadBack
from core.model.exports import ItemResult, ItemStatus, VideoItem
from core.services.exports import Exports
from tests.faults.conftest import Logged, Make
from tests.loopback.fault_world import FaultWorld, all_good, one_line_each
from tests.loopback.paid_corpus import list_words

pytestmark = pytest.mark.timeout(200)


class Held:
    """Holds the providers' answers of one kind until it is let go; tells when one is held."""

    def __init__(self) -> None:
        self.is_reached = threading.Event()
        self._go = threading.Event()

    def wait(self) -> None:
        self.is_reached.set()
        assert self._go.wait(60)

    def let_go(self) -> None:
        self._go.set()


def hold(world: FaultWorld, what: str) -> Held:
    """From the third answer of that kind on, all are held."""
    held, seen = Held(), []

    def through(answer: Callable[..., Any]) -> Callable[..., Any]:
        def held_answer(*given: Any, **named: Any) -> Any:
            seen.append(1)
            if len(seen) >= 3 and not held._go.is_set():
                held.wait()
            return answer(*given, **named)

        return held_answer

    if what == "searching":
        world.clipcafe.answer_search = through(world.clipcafe.answer_search)  # type: ignore[method-assign]
    elif what == "downloading":
        world.clipcafe.answer_download = through(world.clipcafe.answer_download)  # type: ignore[method-assign]
    elif what == "judging":
        world.openai.judge = through(all_good)
    else:
        world.openai.hear = through(world.openai.hear)
    return held


def hear(data: bytes) -> dict[str, Any]:
    line = data[data.rindex(b"line:") + 5 :].decode()
    words = [{"word": word, "start": round(0.3 * n, 2), "end": round(0.3 * n + 0.25, 2)} for n, word in enumerate(line.split())]
    from tests.loopback.openai import _segment

    return {"text": line, "duration": 4.0, "words": words, "segments": [_segment(line, 0.0, 3.9)]}


@pytest.mark.parametrize("how", ["cancel", "pause"])
@pytest.mark.parametrize("what", ["searching", "downloading", "judging", "recognising"])
def test_stopped_in_the_middle_twice_and_taken_up_again(make: Make, heard: Logged, what: str, how: str) -> None:
    words = list_words(6)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, TRANSCRIBER="openai")
    world.clipcafe.film_of = lambda clip: b"\0\0\0\x18ftypmp42" + clip.slug.encode() + b"line:" + clip.spoken.encode()
    world.openai.hear = hear
    held = hold(world, what)
    run_id = world.launch(want=1)
    stop = world.app.runs.cancel if how == "cancel" else world.app.runs.pause
    with world.meanwhile(run_id):
        assert held.is_reached.wait(60), what
        assert stop(run_id) == stop(run_id)
        held.let_go()
    stopped = "cancelled" if how == "cancel" else "paused"
    assert world.stop_of(run_id)[0] == stopped
    assert set(world.states(run_id).values()) <= ({"cancelled", "done"} if how == "cancel" else {"queued", "working", "done"})
    assert not list(world.home.rglob(".part-*"))
    assert not [path for path in (world.home / "scratch").rglob("*") if path.is_file()]
    paid, answered = len(world.openai.paid), sum(world.clipcafe.answered.values())
    kept = {key: n for key, n in world.entries().items() if key[1] == "done"}
    assert sum(kept.values()) == paid + answered, "a call that was under way is kept, since it was paid"
    world.check(heard.text)
    summary = world.resume(run_id)
    assert (summary.status, summary.words["done"]) == ("succeeded", 6)
    assert (summary.in_doubt, summary.repeated_calls) == (0, 0)
    assert max(world.clipcafe.answered_calls.values()) == 1, "nothing was asked twice"
    world.check(heard.text)


def test_cancelled_before_anything_was_done(make: Make, heard: Logged) -> None:
    world = make(n_words=3)
    run_id = world.launch()
    world.app.runs.cancel(run_id)
    world.drive(run_id)
    assert (world.counted()[0].answered, len(world.openai.paid)) == ({}, 0)
    world.check(heard.text)
    assert world.resume(run_id).status == "succeeded"
    world.check(heard.text)


def test_an_export_that_is_cancelled_while_its_answer_is_lost_twice_and_taken_up_again(make: Make, heard: Logged) -> None:
    """It stops at the next step; what may have arrived is in doubt, and at the target everything is there once in the end."""
    words = list_words(3)
    world = make(words=words, corpus=one_line_each(words), judge=all_good)
    world.discover(want=1)
    while world.approve_one() is not None:
        pass
    target = FakeTarget(faults=[Fault.LOST_AFTER])
    send = target.send

    def cancel_and_send(source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        world.app.runs.cancel_job(job_id)
        world.app.runs.cancel_job(job_id)
        return send(source_id, items)

    app = world.app
    exports = Exports(world.database, app.media_files, None, lambda _: target, app.engine, pause=lambda _: None)
    batch_id = exports.create_batch("fake", actor="mina", confirmed=True)
    job_id = exports.batch(batch_id).summary.job_id
    target.send = cancel_and_send  # type: ignore[method-assign]
    exports.send_batch(job_id)
    assert (len(target.requests), exports.batch(batch_id).summary.ended_at) == (1, None)
    assert {item.read_back for item in exports.batch(batch_id).items} == {ReadBack.IN_DOUBT}
    world.check(heard.text)
    target.send = send  # type: ignore[method-assign]
    assert exports.create_batch("fake", actor="mina", confirmed=True) == batch_id, "the same command takes it up"
    exports.send_batch(exports.batch(batch_id).summary.job_id)
    items = exports.batch(batch_id).items
    assert exports.batch(batch_id).summary.ended_at is not None
    assert {item.status for item in items} <= {ItemStatus.CREATED, ItemStatus.UPDATED, ItemStatus.EXISTED}
    assert sorted(video.item.slug for video in target.videos.values()) == sorted(item.slug for item in items) and len(items) == 3
    world.check(heard.text)
