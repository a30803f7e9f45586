"""Any subset of bad items: exactly the good ones arrive, each once, and every outcome is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ExportError, ProviderUnavailable
from core.model.exports import ItemResult, ItemStatus
from core.rules.payload import encoded_size
from core.rules.sending import send_isolating
from tests.loopback.items import bare_item

ITEMS = [bare_item(f"clip-{i:02}") for i in range(24)]
SIZE = encoded_size(ITEMS[0]) + 1


class Target:
    """Keeps names; `plan` holds an error (or None) for each request, used before anything else happens."""

    def __init__(self, refused=(), lost=(), plan=()):
        self.refused, self.lost, self.plan = set(refused), set(lost), list(plan)
        self.arrived: dict[str, int] = {}
        self.requests = []

    def send(self, source_id, items):
        self.requests.append([item.slug for item in items])
        error = self.plan.pop(0) if self.plan else None
        if error == "lost_after":
            self._store(items)
            raise ProviderUnavailable("lost")
        if error is not None:
            raise error
        if any(item.slug in self.lost for item in items):
            raise ProviderUnavailable("cut off")
        if any(item.slug in self.refused for item in items):
            raise ExportError("bad item")
        return self._store(items)

    def _store(self, items):
        results = []
        for item in items:
            status = ItemStatus.UPDATED if item.name in self.arrived else ItemStatus.CREATED
            self.arrived[item.name] = self.arrived.get(item.name, 0) + 1
            results.append(ItemResult(item.slug, len(self.arrived), status))
        return tuple(results)


def send_all(target, items=ITEMS, **options):
    waits = []
    results = list(send_isolating(target, "s", items, limit_bytes=options.pop("limit_bytes", 8 * SIZE), wait=waits.append, **options))
    assert [item for item, _ in results] == list(items)
    assert all(item.slug == result.slug for item, result in results)
    return [result for _, result in results], waits


@given(st.sets(st.integers(0, 23)), st.integers(1, 30))
def test_exactly_the_good_ones_arrive_once(bad, a_batch):
    target = Target(refused={ITEMS[i].slug for i in bad})
    results, waits = send_all(target, limit_bytes=a_batch * SIZE)
    good = [item for i, item in enumerate(ITEMS) if i not in bad]
    assert target.arrived == {item.name: 1 for item in good}
    assert [result.status for result in results] == [ItemStatus.FAILED if i in bad else ItemStatus.CREATED for i in range(24)]
    assert waits == []
    assert len(target.requests) <= 2 * 24


@given(st.integers(0, 23))
def test_one_bad_item_costs_few_requests(bad):
    target = Target(refused={ITEMS[bad].slug})
    send_all(target, limit_bytes=100 * SIZE)
    assert len(target.requests) <= 11


@given(st.lists(st.sampled_from(["lost_after", "lost_before", "rate"]), max_size=3), st.sets(st.integers(0, 23), max_size=4))
def test_doubt_is_sent_again_until_it_is_sure(faults, bad):
    errors = {
        "lost_after": "lost_after",
        "lost_before": ProviderUnavailable("x"),
        "rate": ExportError("429", is_retryable=True, is_about_items=False),
    }
    target = Target(refused={ITEMS[i].slug for i in bad} if "lost_after" not in faults else (), plan=[errors[name] for name in faults])
    results, waits = send_all(target, limit_bytes=100 * SIZE)
    assert len(waits) == len(faults)
    assert set(target.arrived) == {item.name for i, item in enumerate(ITEMS) if i not in bad or "lost_after" in faults}
    assert all(
        (result.status is ItemStatus.FAILED) == (item.name not in target.arrived) for item, result in zip(ITEMS, results, strict=True)
    )


def test_an_item_that_kills_the_connection_every_time_holds_back_no_other():
    target = Target(lost={ITEMS[5].slug})
    results, _ = send_all(target)
    assert [i for i, result in enumerate(results) if result.status is ItemStatus.FAILED] == [5]
    assert "may have arrived" in results[5].error
    assert len(target.arrived) == 23


def test_a_target_that_is_gone_is_not_asked_for_every_item():
    target = Target(lost={item.slug for item in ITEMS})
    results, _ = send_all(target, ITEMS * 10)
    assert {result.status for result in results} == {ItemStatus.FAILED}
    assert len(target.requests) < 30
    assert "in a row" in results[-1].error


def test_a_fault_of_the_target_itself_ends_it_at_once_and_names_it():
    refused = ExportError("backend answered 401.", hint="Check BACKEND_TOKEN.", is_about_items=False)
    target = Target(plan=[None, refused])
    results, waits = send_all(target)
    assert [result.status for result in results] == [ItemStatus.CREATED] * 8 + [ItemStatus.FAILED] * 16
    assert {result.error for result in results[8:]} == {"backend answered 401. Check BACKEND_TOKEN."}
    assert (len(target.requests), waits) == (2, [])


def test_waits_grow_and_obey_the_target():
    asked = ExportError("429", is_retryable=True, is_about_items=False, retry_after_s=17)
    target = Target(plan=[asked, ProviderUnavailable("x"), ProviderUnavailable("x")])
    results, waits = send_all(target, ITEMS[:2])
    assert waits == [17, 2, 4]
    assert {result.status for result in results} == {ItemStatus.CREATED}


def test_items_are_taken_only_when_they_are_needed_and_closing_stops():
    taken = []

    def items():
        for item in ITEMS:
            taken.append(item)
            yield item

    target = Target()
    sending = send_isolating(target, "s", items(), limit_bytes=4 * SIZE)
    next(sending)
    sending.close()
    assert len(taken) <= 5
    assert len(target.requests) == 1


def test_what_wait_raises_ends_the_sending():
    def wait(seconds):
        raise KeyboardInterrupt

    target = Target(plan=[ProviderUnavailable("x")])
    with pytest.raises(KeyboardInterrupt):
        list(send_isolating(target, "s", ITEMS, wait=wait))
    assert len(target.requests) == 1


def test_nothing_is_sent_for_nothing():
    target = Target()
    assert list(send_isolating(target, "s", [])) == []
    assert target.requests == []
