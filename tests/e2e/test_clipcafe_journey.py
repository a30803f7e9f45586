"""The main job where every call costs: keys, plan, launch, pause, a killed worker, resume, and clips judged while the run goes on."""

from __future__ import annotations

import os
import re
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, WebSocket, expect

from core.config import load_config
from core.services.keys import Keys
from tests.e2e import desk
from tests.e2e.paid_app import RATE, PaidApp, key_row, look, paid_app
from tests.loopback import clipcafe, openai
from tests.loopback.commands import ask, is_alive, wait_until
from tests.loopback.paid_world import PaidFilms

WRONG = "cc-wrong-key-2718281828"
NEW = "cc-second-key-1618033988"
KEPT = (clipcafe.KEY, openai.KEY, WRONG, NEW)
BUNDLE = "toefl_intermediate"
COVERED = "evidence"
SLOW_MS = 90_000
"""What a busy machine may take to answer, and a run to bring its first clip."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> PaidFilms:
    return PaidFilms(tmp_path_factory.mktemp("films"))


@pytest.fixture
def paid(tmp_path: Path, films: PaidFilms) -> Iterator[PaidApp]:
    """A bundle of eighteen words, one of them covered by an earlier run; nobody has entered a key."""
    with paid_app(tmp_path, films=films, n_words=18, clips_a_word=4, judge_latency_s=0.3) as found:
        found.prepare(before=(COVERED,))
        assert found.covered == (COVERED,)
        yield found


@pytest.fixture
def told(page: Page) -> list[str]:
    """All that the server sends to the page over its web socket."""
    frames: list[str] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: frames.append(frame if isinstance(frame, str) else frame.decode("utf-8", "replace")))

    page.on("websocket", listen)
    return frames


def test_a_curator_finds_clips_at_clipcafe(page: Page, paid: PaidApp, told: list[str]) -> None:
    enter_the_keys(page, paid)
    enter_the_quotas(page, paid)
    plan_the_gaps(page, paid)
    launch_pause_and_kill(page, paid)
    judge_while_it_runs(page, paid)
    see_it_end(page, paid)
    check_the_keys_are_nowhere(page, paid, told)
    check_the_counts(paid)


def enter_the_keys(page: Page, paid: PaidApp) -> None:
    """A wrong key is refused, in words; the right ones work. None comes back to the page."""
    page.goto(f"{paid.address}/settings")
    row = key_row(page, "CLIPCAFE")
    expect(row).to_contain_text("not set", timeout=SLOW_MS)
    field = row.get_by_label("ClipCafe key", exact=True)
    field.fill(WRONG)
    row.get_by_role("button", name="Test", exact=True).click()
    expect(row).to_contain_text("refused", timeout=SLOW_MS)
    expect(page.locator(".wr-keyfault").last).to_contain_text("ClipCafe answered 401: unknown api_key. Check CLIPCAFE")
    look(page, "settings-refused", sizes=False)
    for variable, label, key in (("CLIPCAFE", "ClipCafe key", clipcafe.KEY), ("OPENAI_API_KEY", "OpenAI key", openai.KEY)):
        row = key_row(page, variable)
        field = row.get_by_label(label, exact=True)
        field.fill(key)
        row.get_by_role("button", name="Test", exact=True).click()
        expect(row).to_contain_text("works", timeout=SLOW_MS)
        expect(field).to_have_value("")
        expect(field).to_have_attribute("placeholder", re.compile(f"^•+{key[-4:]}$"))
    expect(page.locator(".wr-keyfault")).to_have_count(0)
    assert stat.S_IMODE(paid.secrets_path.stat().st_mode) == 0o600
    kept = paid.secrets_path.read_text()
    assert clipcafe.KEY in kept and openai.KEY in kept and WRONG not in kept


def enter_the_quotas(page: Page, paid: PaidApp) -> None:
    """The plan does not know the month; its link leads to where it is entered."""
    open_plan(page, paid)
    plan = page.locator(".st-key-wr-plan")
    expect(plan.get_by_text("not known")).to_have_count(2)
    plan.get_by_role("link", name="Set it").first.click()
    requests = page.get_by_label("Requests a month", exact=True)
    expect(requests).to_be_visible(timeout=SLOW_MS)
    requests.fill("2000")
    requests.press("Tab")
    downloads = page.get_by_label("Downloads a month", exact=True)
    downloads.fill("1000")
    downloads.press("Tab")
    page.get_by_role("button", name="Save 2 changes").click()
    expect(page.locator(".wr-said")).to_contain_text("Saved: requests a month 2,000, downloads a month 1,000.", timeout=SLOW_MS)
    page.reload()
    expect(requests).to_have_value("2000", timeout=SLOW_MS)
    assert "wr-said" not in page.locator("[data-testid=stMain]").inner_html(), "what was done is said once"
    look(page, "settings", dark="ClipCafe plan")


def open_plan(page: Page, paid: PaidApp) -> None:
    page.goto(f"{paid.address}/discover?gaps={BUNDLE}")
    wanted = page.get_by_label("Clips wanted a word", exact=True)
    expect(wanted).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("radio", name=re.compile("ClipCafe"))).to_be_checked()
    wanted.fill("2")
    wanted.press("Enter")
    expect(page.get_by_text("Stops at 2 clips a word")).to_be_visible(timeout=SLOW_MS)


def plan_the_gaps(page: Page, paid: PaidApp) -> None:
    """Searches, links, downloads, judge calls, tokens, money, time and what is left of the month, before anything is asked."""
    before = paid.world.counts()
    open_plan(page, paid)
    bill = bill_of(page)
    assert set(bill) == {"Searches", "Fresh links", "Downloads", "Judge calls", "Tokens", "Money"}
    n_gaps = len(paid.world.words) - len(paid.covered)
    assert bill["Searches"] == n_gaps
    assert 0 < bill["Downloads"] <= 2 * n_gaps and bill["Judge calls"] > 0 and bill["Tokens"] > 1000 and bill["Money"] > 0
    plan = page.locator(".st-key-wr-plan")
    expect(plan).to_contain_text("shortest possible time")
    for says in ("This 12 s", "of 2,000", "of 1,000", "Words that gain a clip"):
        expect(plan).to_contain_text(says)
    look(page, "plan", dark="Downloads this month")
    assert paid.world.counts() == before, "a plan asks nobody"


def bill_of(page: Page) -> dict[str, float]:
    """Line → its figure, as the plan shows it; `94 k` is 94,000."""
    lines = page.locator(".st-key-wr-plan .wr-bill > div")
    found = {}
    for n in range(lines.count()):
        figure = lines.nth(n).locator(".value").inner_text()
        number = re.search(r"[\d.,]+", figure)
        assert number is not None, figure
        scale = 1000.0 if figure.endswith(" k") else 1.0
        found[lines.nth(n).locator(".name").inner_text()] = float(number[0].replace(",", "")) * scale
    return found


def launch_pause_and_kill(page: Page, paid: PaidApp) -> None:
    """It waits for a slot and says for how long; it is paused, its worker killed, and it is resumed with another one."""
    page.get_by_role("button", name="Start run").click()
    now = page.get_by_role("status")
    expect(now.get_by_text(re.compile(r"^Waiting for ClipCafe’s rate limit\. Next (search|download) in \d+ s\.$"))).to_be_visible(
        timeout=SLOW_MS
    )
    expect(page.get_by_role("img", name=f"{RATE} of {RATE} calls in the last 12 s")).to_be_visible(timeout=SLOW_MS)
    look(page, "waiting", dark="Plan and spent")
    page.get_by_role("button", name="Pause").click()
    expect(now.get_by_text(re.compile("^Paused"))).to_be_visible(timeout=SLOW_MS)
    look(page, "paused", sizes=False)
    killed = paid.worker_pid()
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not is_alive(killed), "the worker's end")
    paid.server.wait_for(lambda: paid.server.ask("/api/health")["worker_process"]["pid"] not in (None, killed), 60, "another worker")
    assert paid.world.status() == "paused"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=SLOW_MS)


def judge_while_it_runs(page: Page, paid: PaidApp) -> None:
    """The first two clips by the keyboard."""
    review = page.get_by_role("link", name=re.compile(r"^Review \d+ words?"))
    expect(review).to_be_visible(timeout=SLOW_MS)
    wait_until(lambda: paid.world.n_reviewable() >= 3, "clips to judge", within_s=SLOW_MS / 1000)
    look(page, "running", sizes=False)
    review.click()
    expect(desk.part(page, "start").filter(visible=True)).to_have_count(1, timeout=SLOW_MS)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("desk")).to_have_attribute("data-view", "desk")
    page.wait_for_function(f"() => {{ const video = ({desk.PLAYING})(); return video && video.currentTime > 0.2; }}", timeout=SLOW_MS)
    look(page, "review")
    approved = desk.focus(page)
    desk.press_and_go_on(page, "a")
    rejected = desk.focus(page)
    page.keyboard.press("x")
    expect(desk.part(page, "reasons")).to_be_visible()
    desk.press_and_go_on(page, "2")
    desk.saved(page)
    assert paid.world.status() == "running", "they were judged while the run went on"
    states = paid.server.states()
    assert (states[approved["mapping_id"]], states[rejected["mapping_id"]]) == ("approved", "rejected")


def see_it_end(page: Page, paid: PaidApp) -> None:
    """Back at the run: every word ended, what it chose and why, spent beside planned."""
    page.goto(f"{paid.address}/discover")
    expect(page.get_by_role("status").get_by_text(re.compile(r"^Ended\."))).to_be_visible(timeout=2 * SLOW_MS)
    words = page.get_by_role("table", name="Words of this run")
    expect(words.get_by_role("row")).to_have_count(1 + len(paid.world.words) - len(paid.covered))
    look(page, "ended", dark="Plan and spent")
    page.get_by_role("radio", name=re.compile("^Chosen")).click()
    expect(page.locator(".wr-windows .choice").first).to_be_visible()
    look(page, "choices")


def check_the_keys_are_nowhere(page: Page, paid: PaidApp, told: list[str]) -> None:
    """No page, no frame of the web socket, no answer of the API, no log and no file of the workspace holds a key."""
    shown = [*told, paid.said()]
    assert told
    run_id = paid.world.run_id()
    for name in ("settings", "discover", "coverage", "export", "library"):
        page.goto(f"{paid.address}/{name}")
        expect(page.get_by_role("link", name="Settings")).to_be_visible(timeout=SLOW_MS)
        expect(page.locator(".wr-title")).to_be_visible(timeout=SLOW_MS)
        shown.append(page.content())
        shown += page.evaluate("[...document.querySelectorAll('input, textarea')].map((field) => field.value)")
    for path in ("/api/health", "/api/runs", f"/api/runs/{run_id}", "/api/coverage", "/api/review/queue?all=true", "/api/exports"):
        shown.append(str(paid.server.ask(path)))
    for key in KEPT:
        assert not any(key in text for text in shown)


def check_the_counts(paid: PaidApp) -> None:
    """Nothing paid twice, no window over the limit, the ledger as the providers have it; I1 to I6."""
    wait_until(paid.is_idle, "all work to end", within_s=SLOW_MS / 1000)
    paid.server.stop()
    paid.world.check()
    again = {what: n for what, n in paid.world.clipcafe.answered_calls.items() if n > 1 and what[0] != "link"}
    n_doubt = sum(paid.world.entries("in_doubt", "clipcafe").values())
    assert sum(again.values()) - len(again) <= n_doubt, f"asked again: {again}, {n_doubt} in doubt"
    assert paid.world.clipcafe.n_429 == 0
    check_workspace(paid)


def check_workspace(paid: PaidApp) -> None:
    for path in paid.world.home.rglob("*"):
        if path.is_file() and path.suffix != ".mp4":
            data = path.read_bytes()
            assert not any(key.encode() in data for key in KEPT), path


# A key that is revoked -----------------------------------------------------------------------------------------------------


def test_a_revoked_key_pauses_the_run_once_and_a_new_one_ends_it(page: Page, tmp_path: Path, films: PaidFilms) -> None:
    with paid_app(tmp_path, films=films, n_words=12, clips_a_word=4, judge_latency_s=0.3) as paid:
        paid.prepare()
        keep_the_keys(paid)
        world = paid.world
        page.goto(f"{paid.address}/discover?gaps={BUNDLE}")
        open_plan(page, paid)
        page.get_by_role("button", name="Start run").click()
        wait_until(lambda: world.clipcafe.answered["search"] >= 3, "the first searches", within_s=SLOW_MS / 1000)
        world.clipcafe.key = NEW
        now = page.get_by_role("status")
        expect(now).to_contain_text("Paused: ", timeout=SLOW_MS)
        expect(now).to_contain_text("Enter a new key in Settings, then resume.")
        assert (world.status(), ask(world.home, "SELECT stopped_for FROM runs")[0][0]) == ("paused", "key")
        expect(page.get_by_role("alert")).to_have_count(0)
        look(page, "revoked", sizes=False)
        n_asked = world.clipcafe.n_arrived()
        now.get_by_role("link", name="Open Settings").click()
        row = key_row(page, "CLIPCAFE")
        field = row.get_by_label("ClipCafe key", exact=True)
        expect(field).to_be_visible(timeout=SLOW_MS)
        assert world.clipcafe.n_arrived() == n_asked, "a paused run asks nobody"
        field.fill(NEW)
        row.get_by_role("button", name="Test", exact=True).click()
        expect(row).to_contain_text("works", timeout=SLOW_MS)
        page.goto(f"{paid.address}/discover")
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("status").get_by_text(re.compile(r"^Ended\."))).to_be_visible(timeout=2 * SLOW_MS)
        assert set(world.states().values()) <= {"done", "none_found"}
        assert not any(key in text for text in (page.content(), paid.said()) for key in KEPT)
        check_the_counts(paid)


def keep_the_keys(paid: PaidApp) -> None:
    """As if they had been entered before, by the service that the page uses."""
    from core.wiring import App

    config = load_config({**paid.world.cli.settings, "WORDREEL_HOME": str(paid.world.home)}, root_path=paid.world.cli.program)
    app = App(config)
    try:
        keys = Keys(paid.world.cli.program, app.settings, {}, {})
        keys.save("CLIPCAFE", clipcafe.KEY, "mina")
        keys.save("OPENAI_API_KEY", openai.KEY, "mina")
    finally:
        app.close()
