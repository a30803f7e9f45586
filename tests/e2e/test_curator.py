"""A curator's day: own films by the screens alone, two curators on one word, and a server that dies in the middle of a key."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.e2e import desk
from tests.e2e.app import Server

FILM = "composite_popeye_ljspeech"
WORDS = ("importance", "operation", "develop", "elephant")
"""Said in the film as importance, operations and developed; nobody says elephant."""
RUN_S = 120_000


@pytest.fixture
def films_path(tmp_path: Path, media_path: Path) -> Path:
    folder = tmp_path / "films"
    folder.mkdir()
    for suffix in (".mp4", ".srt"):
        shutil.copyfile(media_path / "video" / f"{FILM}{suffix}", folder / f"{FILM}{suffix}")
    return folder


def test_own_films_by_the_screens(page: Page, own_app: Server, films_path: Path) -> None:
    take_in(page, own_app, films_path)
    start_run(page, own_app, ", ".join(WORDS))
    expect(page.get_by_role("status").get_by_text("Ended.")).to_be_visible(timeout=RUN_S)
    words = page.get_by_role("table", name="Words of this run")
    expect(words.get_by_role("row", name=re.compile("^elephant"))).to_contain_text("Nobody says it in what was searched")
    summary = own_app.ask(f"/api/runs/{own_app.ask('/api/runs')['runs'][0]['run_id']}")
    assert summary["words"] == {**summary["words"], "done": 3, "none_found": 1, "failed": 0}

    page.get_by_role("link", name=re.compile(r"^Review 3 words")).click()
    expect(desk.part(page, "start").filter(visible=True)).to_have_count(1)
    page.keyboard.press("Enter")
    expect(desk.part(page, "evidence")).to_contain_text("Captioned, listen")
    expect(desk.part(page, "vouch")).to_contain_text("Approving says that you heard it.")
    target = desk.focus(page)
    assert target["word"] in WORDS
    desk.press_and_go_on(page, "a")
    desk.saved(page)
    assert own_app.states()[target["mapping_id"]] == "approved"
    assert next(row for row in own_app.ask("/api/coverage")["bundles"] if row["bundle"] == "typed")["approved"]["1"] == 1


def test_pause_resume_and_cancel(page: Page, own_app: Server, films_path: Path) -> None:
    take_in(page, own_app, films_path)
    start_run(page, own_app, "modern, surpass, immediate, predecessor, print, fine, form, complete, satisfactory, capital, letter, book")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text(re.compile("^Paus")).first).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled.")).to_be_visible(timeout=RUN_S)
    run = own_app.ask("/api/runs")["runs"][0]
    assert run["status"] == "cancelled"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status").get_by_text("Ended.")).to_be_visible(timeout=RUN_S)
    assert own_app.ask(f"/api/runs/{run['run_id']}")["words"]["failed"] == 0


def take_in(page: Page, app: Server, folder: Path) -> None:
    """Library: the folder's path, and one click."""
    page.goto(f"{app.address}/library")
    expect(page.get_by_text("No film yet.")).to_be_visible()
    field = page.get_by_label("Files or folders on this machine").filter(visible=True)
    field.fill(str(folder))
    field.press("Control+Enter")
    page.get_by_role("button", name="Take them in").filter(visible=True).click()
    expect(page.get_by_role("table", name="Files of this job")).to_contain_text("Taken in", timeout=RUN_S)
    films = page.get_by_role("table", name="Own films")
    expect(films).to_contain_text("Captions, not verified by the sound")


def start_run(page: Page, app: Server, words: str) -> None:
    """Discover: typed words, the plan, and Start run."""
    page.goto(f"{app.address}/discover?run=new")
    page.get_by_role("radio", name=re.compile("Typed")).click()
    field = page.get_by_role("textbox", name="Words", exact=True)
    field.fill(words)
    field.press("Control+Enter")
    plan = page.get_by_role("button", name="Start run")
    expect(plan).to_be_enabled()
    expect(page.get_by_text("nothing is spent yet")).to_be_visible()
    plan.click()
    expect(page.get_by_role("table", name="Words of this run")).to_be_visible()


def test_two_curators_on_one_mapping(page: Page, context: BrowserContext, app: Server) -> None:
    desk.open_desk(page, app.address)
    other = context.new_page()
    desk.open_desk(other, app.address)
    target = desk.focus(page)
    assert desk.focus(other)["mapping_id"] == target["mapping_id"], "both look at the same word"
    desk.press_and_go_on(page, "a")
    desk.saved(page)

    desk.press_and_go_on(other, "x", "2")
    expect(desk.part(other, "saved")).to_have_attribute("data-state", "conflict")
    expect(desk.part(other, "saved")).to_contain_text("approved this")
    assert app.states()[target["mapping_id"]] == "approved", "nothing was overwritten"
    other.goto(f"{app.address}/coverage?word={target['word']}&demo=1")
    history = other.get_by_role("table", name="History")
    expect(history).to_contain_text(re.compile("Approved"))
    expect(history).to_contain_text(re.compile("reject", re.IGNORECASE))


def test_a_double_click_and_a_held_key_decide_once(page: Page, app: Server) -> None:
    desk.open_desk(page, app.address)
    target = desk.focus(page)
    desk.part(page, "approve").dblclick()
    desk.saved(page)
    page.wait_for_timeout(1000)
    assert [mapping_id for mapping_id, state in app.states().items() if state == "approved"] == [target["mapping_id"]]
    before = app.states()
    page.keyboard.down("s")
    for _ in range(5):
        page.keyboard.down("s")
    page.keyboard.up("s")
    page.wait_for_timeout(1000)
    desk.saved(page)
    after = app.states()
    changed = [mapping_id for mapping_id in before if before[mapping_id] != after[mapping_id]]
    assert {after[mapping_id] for mapping_id in changed} == {"skipped"}
    clips = {item["clip_id"] for item in app.ask("/api/review/queue?all=true")["items"] if item["mapping_id"] in changed}
    assert len(clips) == 1


@pytest.mark.crash
@pytest.mark.parametrize("is_committed", [True, False], ids=["after the commit", "before the request arrives"])
def test_a_server_that_is_killed_between_key_and_answer(page: Page, app: Server, is_committed: bool) -> None:
    """The desk says so, keeps the decision in the tab, and it is in the database exactly once in the end."""
    desk.open_desk(page, app.address)
    expect(desk.part(page, "preload")).to_have_attribute("data-ready", "3")
    target = desk.focus(page)
    sent: list[Any] = []

    def die(route: Route) -> None:
        sent.append(route.request.post_data_json)
        if len(sent) > 1:
            route.continue_()
            return
        if is_committed:
            route.fetch()
        app.kill()
        route.abort("connectionreset")

    page.route("**/api/mappings/*/decisions", die)
    desk.press_and_go_on(page, "a")
    expect(desk.part(page, "saved")).to_contain_text("Not saved yet: 1")
    app.start()
    desk.saved(page)
    assert app.states()[target["mapping_id"]] == "approved"
    assert len({body["idempotency_key"] for body in sent}) == 1, "sent again under the same key"
    assert app.ask("/api/review/desk")["today"]["decided"] == 1, "and counted once"
