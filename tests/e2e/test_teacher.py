"""A teacher looks at a bundle, plays the clips of a word, and asks which words of a lesson have clips."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.app import Server


def test_from_a_bundle_to_the_clips_of_a_word(page: Page, app: Server) -> None:
    best = app.ask("/api/review/queue?limit=1")["items"][0]
    word = best["word"]
    app.ask(f"/api/mappings/{best['mapping_id']}/decisions", {"decision": "approve", "idempotency_key": "teacher-1"})
    page.goto(f"{app.address}/coverage")
    page.get_by_role("table", name="Bundles").get_by_role("link", name="Demo start").click()
    expect(page.get_by_role("heading", name=re.compile("Demo start, from word to learner"))).to_be_visible()
    page.get_by_role("link", name=re.compile(rf"^{word}, rank")).click()
    expect(page.get_by_role("heading", name=word, exact=True)).to_be_visible()
    expect(page.get_by_text("1 of 3 approved")).to_be_visible()
    expect(page.get_by_role("table", name="History")).to_contain_text("Approved")
    video = page.locator(".wr-clips video").first
    handle = video.element_handle()
    page.evaluate("video => { video.muted = true; return video.play(); }", handle)
    page.wait_for_function("video => video.readyState >= 2 && video.currentTime > 0.3", arg=handle)
    assert [clip["word"] for clip in [app.ask(f"/api/words/{word}/videos")]] == [word]


def test_which_words_of_a_lesson_have_clips(page: Page, app: Server) -> None:
    best = app.ask("/api/review/queue?limit=1")["items"][0]
    app.ask(f"/api/mappings/{best['mapping_id']}/decisions", {"decision": "approve", "idempotency_key": "teacher-2"})
    page.goto(f"{app.address}/coverage")
    page.get_by_role("button", name="Which of these words have clips").click()
    field = page.get_by_label("Words of a lesson")
    field.fill(f"{best['word']}, hesitate\nzyzzyva")
    field.press("Control+Enter")
    table = page.get_by_role("table", name="Pasted words")
    expect(table.get_by_role("row", name=re.compile(f"^{best['word']}"))).to_contain_text("1 of 3")
    expect(table.get_by_role("row", name=re.compile("^hesitate"))).to_contain_text("1 clip waits")
    expect(table.get_by_role("row", name=re.compile("^zyzzyva"))).to_contain_text("On no list of this workspace")
    expect(page.get_by_text("1 of 3 words have an approved clip.")).to_be_visible()
