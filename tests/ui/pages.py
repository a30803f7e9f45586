"""A workspace with an application on it, and pages drawn by Streamlit's own test runner."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape

from streamlit.testing.v1 import AppTest

from core.config import load_config
from core.model.clips import FilmFacts
from core.wiring import App
from tests.integration.export_world import InlineWork, World

LIST = b"word,level,pos,definition\nabandon,beginner,verb,to leave for good\nrescue,beginner,noun,help\ndelay,advanced,noun,a wait\n"
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>"


class Engine(InlineWork):
    """Does jobs at once; of runs it only notes that it was handed them, as an engine without a worker does."""

    def start_run(self, run_id: str, attempt: int) -> None:
        self.started.append((run_id, attempt, "run"))

    def withdraw_words(self, run_id: str) -> None:
        self.started.append((run_id, 0, "withdraw"))

    def close(self) -> None:
        return None


@contextmanager
def workspace() -> Iterator[tuple[App, World]]:
    """An application on the test's own workspace; what its engine would do is done at once."""
    config = load_config()
    config.home_path.mkdir(parents=True, exist_ok=True)
    world = World(config.home_path)
    app = App(config, database=world.database)
    engine = Engine(world.database)
    app.__dict__["engine"] = engine
    engine.run = lambda job_id: app.exports.send_batch(job_id)
    try:
        yield app, world
    finally:
        app.close()
        world.close()


def draw(page: str, app: App, **query: str) -> AppTest:
    """The page after its first run. An exception in it fails the test."""

    def script(page, app):  # type: ignore[no-untyped-def]
        from importlib import import_module

        import_module(f"ui.views.{page}").render(app)

    test = AppTest.from_function(script, default_timeout=30, kwargs={"page": page, "app": app})
    for name, value in query.items():
        test.query_params[name] = value
    return checked(test.run())


def checked(test: AppTest) -> AppTest:
    assert not test.exception, (test.exception[0].message, test.exception[0].stack_trace)
    return test


def html(test: AppTest) -> str:
    """All HTML that the page put out, its style blocks left out."""
    return "\n".join(found for found in (str(node.proto.body) for node in test.get("html")) if not found.startswith("<style"))


def button(test: AppTest, label: str):  # type: ignore[no-untyped-def]
    """The one button with this label."""
    found = [known for known in test.button if known.label == label]
    assert len(found) == 1, [known.label for known in test.button]
    return found[0]


def ways(test: AppTest) -> dict[str, str]:
    """Text → address of the links that look like buttons."""
    found = re.findall(r'<a href="([^"]*)" target="_self" class="wr-button[^"]*">(.*?)</a>', html(test))
    return {re.sub(r"<i .*?</i>|<[^>]*>", "", inside): unescape(address) for address, inside in found}


def labels(test: AppTest) -> list[str]:
    return [known.label for known in test.button]


__all__ = ["EVIL", "LIST", "FilmFacts", "button", "checked", "draw", "html", "labels", "ways", "workspace"]
