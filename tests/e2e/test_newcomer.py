"""The first hour of somebody new: judge, undo, correct, see coverage move, send, and play back what arrived."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e import desk
from tests.e2e.app import Server

BUNDLE = "demo_start"


def coverage(app: Server) -> Any:
    """The demo bundle of which every word has a clip, as the API counts it."""
    return next(row for row in app.ask("/api/coverage")["bundles"] if row["bundle"] == BUNDLE)


def shown_coverage(page: Page, app: Server) -> tuple[int, int]:
    """(approved, live) of that bundle as the Coverage page says it."""
    page.goto(f"{app.address}/coverage?bundle={BUNDLE}")
    way = page.locator(".wr-way")
    expect(way).to_contain_text("Live")
    figures = dict(re.findall(r"(Approved|Live)\s*([\d,]+)", way.inner_text()))
    return int(figures["Approved"]), int(figures["Live"])


def judge_five(page: Page, app: Server) -> tuple[list[Any], Any]:
    """A, X with a reason, S, A with a score, F. Returns the two approved targets and the flagged one."""
    first = desk.focus(page)
    desk.press_and_go_on(page, "a")
    second = desk.focus(page)
    before = desk.clip_id(page)
    page.keyboard.press("x")
    expect(desk.part(page, "reasons")).to_be_visible()
    desk.press_and_go_on(page, "3")
    while desk.clip_id(page) == before:  # a rejected word leaves the clip's other words to be judged
        desk.press_and_go_on(page, "s")
    desk.press_and_go_on(page, "s")
    scored = desk.focus(page)
    page.keyboard.press("4")
    expect(desk.part(page, "score-4")).to_have_attribute("aria-checked", "true")
    desk.press_and_go_on(page, "a")
    flagged = desk.focus(page)
    desk.press_and_go_on(page, "f")
    desk.saved(page)
    states = app.states()
    assert states[first["mapping_id"]] == states[scored["mapping_id"]] == "approved"
    assert states[second["mapping_id"]] == "rejected"
    assert states[flagged["mapping_id"]] == "flagged"
    assert sorted(states.values()).count("skipped") >= 1
    return [first, scored], flagged


def test_the_journey_of_a_newcomer(page: Page, context: BrowserContext, app: Server) -> None:
    assert shown_coverage(page, app) == (0, 0)
    page.goto(app.address)
    expect(page.get_by_role("heading", name="Judge your first clip")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("desk")).to_have_attribute("data-view", "desk")
    approved, flagged = judge_five(page, app)

    page.keyboard.press("z")
    expect(desk.part(page, "now")).to_have_text(flagged["word"])
    expect(desk.part(page, "saved")).to_contain_text("taken back")
    app.wait_for(lambda: app.states()[flagged["mapping_id"]] == "in_review", 10, "the undo to be committed")

    corrected = correct(page)
    desk.press_and_go_on(page, "a")
    desk.saved(page)
    assert app.states()[flagged["mapping_id"]] == "approved"
    assert app.ask(f"/api/review/visits/{corrected}")["is_corrected"] is True

    n_words = len({target["word"] for target in [*approved, flagged]})
    at_least = coverage(app)["approved"]["1"]
    assert at_least >= n_words
    assert shown_coverage(page, app) == (at_least, 0), "the page says what the database holds"

    send(page, app)
    assert shown_coverage(page, app) == (at_least, at_least)
    expect(page.get_by_role("table", name="Bundles")).to_contain_text("%")


def correct(page: Page) -> int:
    """Change the first spoken word with T and Ctrl+Enter, and see it timed anew. Returns the clip."""
    shown = desk.visit(page)
    text = " ".join(word["text"] for word in shown["words"])
    first, _, rest = text.partition(" ")
    page.keyboard.press("t")
    field = desk.part(page, "correction")
    expect(field).to_have_value(text)
    field.fill(f"{first}, {rest}")
    page.keyboard.press("Control+Enter")
    expect(desk.part(page, "timing-note")).to_contain_text("corrected", timeout=30_000)
    expect(desk.part(page, "words")).to_contain_text(f"{first},")
    after = desk.visit(page)
    assert after["transcript_id"] != shown["transcript_id"]
    assert [word["text"] for word in after["words"]][1:] == [word["text"] for word in shown["words"]][1:]
    assert abs(after["words"][0]["start_s"] - shown["words"][0]["start_s"]) < 0.15
    return int(shown["clip_id"])


def send(page: Page, app: Server) -> None:
    """Export to the practice backend in one click, read each clip's outcome, and play one back from there."""
    page.goto(f"{app.address}/export")
    expect(page.get_by_text("Not production").first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^Send \d+ clip")).click()
    app.wait_for(lambda: any(batch["ended_at"] for batch in app.ask("/api/exports")["batches"]), 60, "the export to end")
    batch = app.ask(f"/api/exports/{app.ask('/api/exports')['batches'][0]['batch_id']}")
    assert batch["failed"] == 0 and batch["sent"] == len(batch["items"]) >= 3
    outcomes = page.get_by_role("table", name=re.compile("^Clips of batch"))
    expect(outcomes.get_by_text("Created")).to_have_count(batch["sent"])
    expect(outcomes.get_by_text("Bytes and words match")).to_have_count(batch["sent"])

    item = batch["items"][0]
    outcomes.get_by_role("link", name=re.compile(rf"{item['video_id']}$")).click()
    video = page.locator(f"video[src='/backend/v3/videos/{item['video_id']}']")
    expect(video).to_be_visible()
    handle = video.element_handle()
    page.wait_for_function("video => video.readyState >= 2 && video.currentTime > 0.2", arg=handle)
    assert page.evaluate("video => video.error", handle) is None


def test_saved_is_said_only_after_the_commit(page: Page, app: Server) -> None:
    desk.open_desk(page, app.address)
    held: list[Any] = []
    page.route("**/api/mappings/*/decisions", lambda route: held.append(route))
    target = desk.focus(page)
    desk.press_and_go_on(page, "a")
    expect(desk.part(page, "saved")).to_have_attribute("data-state", "saving")
    assert app.states()[target["mapping_id"]] == "in_review"
    for route in held:
        route.continue_()
    desk.saved(page)
    assert app.states()[target["mapping_id"]] == "approved"
