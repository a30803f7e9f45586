"""The app with its demo made once, and a browser that starts afresh for each journey."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.e2e.app import Server

FLAGS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every journey here drives Chromium and takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(420))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser a file: while Playwright is open its event loop runs, and tests after it may want one of their own."""
    path = os.environ.get("WORDREEL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("The journeys need Chromium: install it, or set WORDREEL_TEST_CHROMIUM to its program.", pytrace=False)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def demo_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the demo was made by a real worker and nobody has decided anything. Copied, never served."""
    home_path = tmp_path_factory.mktemp("demo") / "home"
    server = Server(home_path).start()
    try:
        server.wait_for_demo()
    finally:
        server.stop()
    return home_path


@pytest.fixture
def app(demo_home: Path, tmp_path: Path) -> Iterator[Server]:
    """The app on its own copy of the demo workspace."""
    home_path = tmp_path / "served"
    shutil.copytree(demo_home, home_path)
    server = Server(home_path).start()
    yield server
    server.stop()


@pytest.fixture
def own_app(tmp_path: Path) -> Iterator[Server]:
    """The app without a demo, for the curator's own films."""
    server = Server(tmp_path / "served", "--no-demo").start()
    yield server
    server.stop()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser without memory. A fault in a page's script fails the journey."""
    fresh = browser.new_context(viewport={"width": 1440, "height": 900})
    fresh.set_default_timeout(TIMEOUT_MS)
    faults: list[str] = []
    fresh.on("weberror", lambda found: faults.append(str(found.error)))
    yield fresh
    fresh.close()
    assert faults == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
