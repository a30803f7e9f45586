"""Everything that providers can do wrong, at random and at once, over one run; and clocks that jump meanwhile: FAULTS.md 5, 13 to 18."""

from __future__ import annotations

import random

import pytest

from core.adapters.clipcafe_calls import Limits
from core.store.dialects import server_now
from core.store.rate_slots import MonthQuota, RateSlots, machine_counter_s
from tests.faults.conftest import Logged, Make
from tests.loopback import openai
from tests.loopback.clipcafe import Misbehaviour as Cafe
from tests.loopback.fault_world import FaultWorld, all_good, has_ended, one_line_each
from tests.loopback.openai import Misbehaviour as Model
from tests.loopback.paid_corpus import list_words

SLOW_MODEL = {
    Model.ENDLESS_AFTER, Model.GZIP_BOMB_AFTER, Model.NO_WORD_TIMES_AFTER, Model.ODD_TIMES_AFTER, Model.CREDIT_LINE_AFTER,
    Model.NO_SEGMENTS_AFTER,
}  # fmt: skip
SLOW_CAFE = {Cafe.GZIP_BOMB, Cafe.HUGE, Cafe.ENDLESS}
"""Each has its own test; here they would cost the processor that the others need."""


def spoil(world: FaultWorld, chance: random.Random, *, share: float) -> None:
    """From now on so large a share of all requests goes wrong, each in a way of its own; some for good."""
    cafe = [wrong for wrong in Cafe if wrong not in SLOW_CAFE]
    model = [wrong for wrong in Model if wrong not in SLOW_MODEL]
    for operation in ("search", "link", "download"):
        world.clipcafe.misbehave(operation, *[chance.choice(cafe) if chance.random() < share else None for _ in range(60)])  # type: ignore[arg-type]
    world.openai.misbehaviours.extend(chance.choice(model) if chance.random() < share else None for _ in range(200))  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
def test_all_together(make: Make, heard: Logged, seed: int) -> None:
    """Whatever happens, resuming and retrying ends it, nothing is paid twice, and the limit holds."""
    chance = random.Random(seed)
    world = make(n_words=30, clips_a_word=4, limit=100, scale=4.0)
    world.clipcafe.retry_after = world.openai.retry_after = "0"
    world.clipcafe.redirect_to = "http://127.0.0.1:9/elsewhere"
    spoil(world, chance, share=0.3)
    run_id = world.launch(want=1)
    world.drive(run_id)
    for _ in range(12):
        if has_ended(world, run_id):
            break
        world.check(heard.text)
        world.resume(run_id)
    else:
        raise AssertionError(f"twelve times resumed, and it is still {world.stop_of(run_id)}")
    world.check(heard.text)
    world.clipcafe._misbehaviours.clear()
    world.openai.misbehaviours.clear()
    paid_twice = {key for key, n in world.clipcafe.answered_calls.items() if n > 1 and key[0] == "search"}
    assert len(paid_twice) <= world.n_in_doubt()
    summary = world.retry(run_id)
    assert summary.words["failed"] + summary.words["none_found"] + summary.words["done"] == 30
    assert summary.words["done"] >= 24, summary.failed
    world.check(heard.text)


# 5: clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(200)
@pytest.mark.parametrize("jump_s", [3600.0, -3600.0, 300.0])
def test_a_clock_that_jumps_in_mid_run_breaks_no_limit_and_makes_no_call_twice(make: Make, heard: Logged, jump_s: float) -> None:
    """The database's clock; what counts the time that passed goes on as it was."""
    from datetime import timedelta

    words = list_words(8)
    world = make(words=words, corpus=one_line_each(words), judge=all_good, limit=8, scale=4.0)
    shift = [0.0]

    def clock(connection):  # type: ignore[no-untyped-def]
        return server_now(connection) + timedelta(seconds=shift[0])

    usual = world.app.limits
    slots = RateSlots(world.database, usual.slots.name, 8, usual.slots.rate.window_s, clock=clock, counter=machine_counter_s)
    quotas = (MonthQuota(world.database, f"{name} jumping", None, clock=clock) for name in ("requests", "downloads"))
    world.app._built["limits"] = (world.app._built["limits"][0], Limits(slots, *quotas))
    run_id = world.launch(want=1)
    with world.meanwhile(run_id):
        world.wait_until(lambda: world.clipcafe.n_arrived() >= 5)
        shift[0] = jump_s
    assert world.states(run_id) == dict.fromkeys(words, "done")
    assert max(world.clipcafe.answered_calls.values()) == 1
    assert world.clipcafe.most_in_a_window() <= 8
    world.check(heard.text)


def test_the_key_of_these_tests_is_seen_where_it_stands(make: Make, heard: Logged) -> None:
    """That the check of secrets can fail."""
    world = make(n_words=1)
    with pytest.raises(AssertionError, match="a secret was said"):
        world.check(f"Bearer {openai.KEY}")
    (world.home / "note.txt").write_text(openai.KEY)
    with pytest.raises(AssertionError, match="a secret stands in"):
        world.check()
