"""Hundreds of clips judged by the keyboard over the real API, across the bounds of what the server names at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from core.store.tables import mappings
from tests.desk.long_queue import LongQueue, long_queue

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Page, expect, sync_playwright

TIMEOUT_MS = 60_000
"""For what must happen, however busy the machine is."""
CHROMIUM = os.environ.get("WORDREEL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [pytest.mark.e2e, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; set WORDREEL_TEST_CHROMIUM")]

MAX_FILMS = 12
"""Video elements: those that come next, the one before, and what fast keys leave for a moment."""
SHOWN = """() => {
  const root = document.querySelector('#host').shadowRoot;
  const word = root.querySelector('[data-testid=desk-now]').textContent;
  return { view: root.querySelector('.desk').dataset.view, clip_id: Number(root.querySelector('.stage').dataset.clipId), word,
    n_films: root.querySelectorAll('video').length };
}"""
NEXT = f"""(before) => new Promise((resolve) => {{
  const look = () => {{
    const now = ({SHOWN})();
    const isNext = now.view === 'end' || (now.view === 'desk' && (now.clip_id !== before.clip_id || now.word !== before.word));
    if (isNext) resolve(now); else setTimeout(look, 5);
  }};
  look();
}})"""


@dataclass
class Judged:
    """A curator with many keys and a good memory."""

    page: Page
    queue: LongQueue
    n_named: int
    """Clips that the server names at once."""
    now: dict[str, Any]
    done: dict[int, str] = field(default_factory=dict)
    """Mapping → the state that the last key on it gave it."""
    seen_twice: list[int] = field(default_factory=list)
    """Mappings that came up again without a reason."""
    n_films: int = 0
    order: list[int] = field(default_factory=list)

    @property
    def mapping_id(self) -> int:
        return self.queue.mapping_ids[self.now["clip_id"], self.now["word"]]

    @property
    def is_over(self) -> bool:
        return bool(self.now["view"] == "end")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.now = self.page.evaluate(NEXT, self.now)
        self.n_films = max(self.n_films, self.now["n_films"])

    def judge(self, place: int) -> None:
        """One decision: most are approved, each fifth rejected, a few put off until the end."""
        mapping_id = self.mapping_id
        if self.done.get(mapping_id, "skipped") != "skipped":
            self.seen_twice.append(mapping_id)
        n_words = [clip_id for clip_id, _ in self.queue.mapping_ids].count(self.now["clip_id"])
        is_put_off = place % 23 == 11 and mapping_id not in self.done and n_words == 1  # a skip takes a clip's other words along
        keys, state = (("s",), "skipped") if is_put_off else (("x", "1"), "rejected") if place % 5 == 4 else (("a",), "approved")
        self.done[mapping_id] = state
        self.order.append(mapping_id)
        self.press(*keys)

    def go_back_and_forth(self, n_keys: int) -> None:
        """Undo shows each clip again, the newest first; redo brings the decisions back."""
        for mapping_id in list(reversed(self.order))[:n_keys]:
            self.press("z")
            assert self.mapping_id == mapping_id
        for _ in range(n_keys):
            self.press("Shift+Z")


@contextmanager
def opened(folder: Path, *, n_named: int, n_words: int) -> Iterator[Judged]:
    """The desk over a queue of three clips and some for each word, begun."""
    with (
        long_queue(folder, n_words=n_words, clips_a_word=3, every_second_word=15, n_crowded=n_words // 15) as queue,
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"])
        page = chromium.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(TIMEOUT_MS)
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"{queue.address}/?limit={n_named}")
        page.locator("[data-testid=desk][data-view=first]").wait_for()
        page.keyboard.press("Enter")
        page.locator("[data-testid=desk][data-view=desk]").wait_for()
        yield Judged(page, queue, n_named, page.evaluate(SHOWN))
        chromium.close()
        assert faults == []


def test_a_queue_is_judged_across_what_the_server_names_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, n_named=40, n_words=30) as judged:
        judge_all(judged)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif("WORDREEL_TEST_LONG_QUEUE" not in os.environ, reason="five hundred keys; set WORDREEL_TEST_LONG_QUEUE to press them")
def test_hundreds_of_clips_are_judged_across_what_the_server_names_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, n_named=200, n_words=150) as judged:
        assert len(judged.queue.mapping_ids) >= 450
        judge_all(judged)


def judge_all(judged: Judged) -> None:
    check_figures(judged)
    place = 0
    while not judged.is_over and place < 2 * len(judged.queue.mapping_ids):
        judged.judge(place)
        place += 1
        if place in (judged.n_named + 1, 2 * judged.n_named + 1):
            judged.go_back_and_forth(3)
            check_figures(judged)
    assert judged.is_over and place > 2 * judged.n_named
    assert judged.seen_twice == [], "no clip is asked for twice"
    assert judged.n_films <= MAX_FILMS, "the page does not hold what was seen"
    check_figures(judged)
    check_the_end(judged)


def check_figures(judged: Judged) -> None:
    """Once all is saved: the page counts what the database counts, and the next clips are loaded."""
    page = judged.page
    part = page.get_by_test_id
    expect(part("desk-saved")).to_have_attribute("data-state", "saved", timeout=TIMEOUT_MS)
    desk = judged.queue.app.desk.heads("mina", judged.queue.wanted)
    n_again = len([state for state in judged.done.values() if state == "skipped"]) if judged.is_over else 0
    expect(part("desk-queue-count")).to_have_text(str(desk["total"] - n_again), timeout=TIMEOUT_MS)
    expect(part("desk-place")).to_contain_text(f" of {len(judged_clips(judged) | open_clips(judged))}", timeout=TIMEOUT_MS)
    today = desk["today"]
    says = f"Today {today['decided']} decided · {today['approved']} approved · {today['rejected']} rejected"
    expect(part("desk-today")).to_contain_text(says, timeout=TIMEOUT_MS)
    states = list(stored(judged).values())
    assert (today["approved"], today["rejected"]) == (states.count("approved"), states.count("rejected"))
    if not judged.is_over:
        expect(part("desk-preload")).to_have_attribute("data-ready", "3", timeout=TIMEOUT_MS)


def check_the_end(judged: Judged) -> None:
    """Every key is in the database; what nobody was asked for went with another word of its clip, or its word is full."""
    expect(judged.page.get_by_test_id("desk-empty")).to_contain_text("Nothing left in this queue")
    found = stored(judged)
    assert {mapping_id: found[mapping_id] for mapping_id in judged.done} == judged.done
    clips = {mapping_id: clip_id for (clip_id, _), mapping_id in judged.queue.mapping_ids.items()}
    beside = {(clips[mapping_id], state) for mapping_id, state in judged.done.items() if state != "rejected"}
    rest = [mapping_id for mapping_id in found if mapping_id not in judged.done]
    went = {(clips[mapping_id], found[mapping_id]) for mapping_id in rest if found[mapping_id] != "in_review"}
    assert went - beside == set()
    parked = judged.queue.app.desk.heads("mina", judged.queue.wanted)["parked"]
    assert parked == len([mapping_id for mapping_id in rest if found[mapping_id] == "in_review"])


def stored(judged: Judged) -> dict[int, str]:
    """Mapping → its state in the database."""
    with judged.queue.app.database.read() as connection:
        return {row.mapping_id: str(row.state) for row in connection.execute(select(mappings.c.mapping_id, mappings.c.state))}


def open_clips(judged: Judged) -> set[int]:
    return {item.row.clip_id for item in judged.queue.app.review.queue(judged.queue.wanted).items}


def judged_clips(judged: Judged) -> set[int]:
    clips = {mapping_id: clip_id for (clip_id, _), mapping_id in judged.queue.mapping_ids.items()}
    return {clips[mapping_id] for mapping_id in judged.done}
