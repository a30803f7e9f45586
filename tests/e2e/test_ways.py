"""Ways off a page whose parts are drawn anew by themselves, while what the server says comes late: none of them ends blank."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.app import Server

LATE_MS = 2500
"""Longer than any part of these pages waits for its next turn: each asks for one while the next page is on its way."""
SHOWN_MS = 60_000
LATE = """(() => {
  const listen = WebSocket.prototype.addEventListener;
  WebSocket.prototype.addEventListener = function (kind, heard, ...more) {
    const late = (event) => setTimeout(() => heard.call(this, event), window.lateMs ?? 0);
    return listen.call(this, kind, kind === "message" ? late : heard, ...more);
  };
})()"""
"""What the server says arrives `lateMs` later, in its order."""


@pytest.fixture
def moving(app: Server) -> Server:
    """The demo's run as if it were paused while it still worked on a word: its page is drawn anew every second."""
    with closing(sqlite3.connect(app.home_path / "app.db", timeout=20)) as connection, connection:
        connection.execute("UPDATE runs SET status = 'paused', ended_at = NULL")
        connection.execute("UPDATE run_words SET state = 'working' WHERE rowid = (SELECT max(rowid) FROM run_words)")
    return app


def test_no_way_off_a_moving_page_ends_blank(page: Page, moving: Server) -> None:
    page.add_init_script(LATE)
    main = page.get_by_test_id("stMain")
    word, menu = main.locator("a.wr-word").first, page.get_by_test_id("stSidebarNav")
    title, desk = main.locator("h1.wr-title, h1.wr-wordtitle"), page.get_by_test_id("desk")
    run = f"{moving.address}/discover"
    take(page, run, main.get_by_role("link", name=re.compile(r"^Review \d+ words")), desk)
    take(page, run, menu.get_by_role("link", name="Review"), desk)
    take(page, run, word, main.locator("h1.wr-wordtitle"))
    take(page, page.url, main.get_by_role("link", name="Find more"), title.filter(has_text="Discover"))
    take(page, moving.address, menu.get_by_role("link", name="Settings"), title.filter(has_text="Settings"))


def take(page: Page, address: str, way: Locator, shown: Locator) -> None:
    """Go this way; what it leads to appears and stays."""
    page.goto(address)
    expect(way.first).to_be_visible(timeout=SHOWN_MS)
    page.wait_for_timeout(1000)
    page.evaluate(f"window.lateMs = {LATE_MS}")
    way.first.click()
    expect(shown).to_be_visible(timeout=SHOWN_MS)
    page.wait_for_timeout(2 * LATE_MS)
    expect(shown).to_be_visible(timeout=1)
