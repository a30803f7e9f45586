"""The app against a loopback ClipCafe and a loopback OpenAI, served from a copy of the program that has no key yet."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.e2e.app import REPO_PATH, Server
from tests.loopback.commands import ask, copy_program, wait_until
from tests.loopback.paid_world import PaidFilms, PaidWorld, paid_world

SCALE = 5
RATE = 10
"""Requests in any 12 s."""
LEVELS = ("beginner", "intermediate")
LOCKED = ("CLIPCAFE_BASE_URL", "CLIPCAFE_RATE", "OPENAI_BASE_URL", "TRANSCRIBER")
SIZES = {"1280": (1280, 800), "1440": (1440, 900), "1920": (1920, 1080)}


@dataclass
class PaidApp:
    """The providers with what they counted, and the server that is to learn their keys from a person."""

    world: PaidWorld
    server: Server
    covered: tuple[str, ...] = ()
    """Words that have what they want before anybody opens a page."""

    def prepare(self, *, before: Sequence[str] = (), want: int = 2) -> None:
        """Films made, the words on a list, those of `before` searched by the command; the server starts, and what was found is approved."""
        cli, words = self.world.cli, self.world.words
        self.world.films.prepare(self.world.corpus)
        list_path = self.world.folder / "words.csv"
        list_path.write_text("word,level\n" + "".join(f"{word},{LEVELS[n % 2]}\n" for n, word in enumerate(words)))
        cli.json("vocab", "import", str(list_path), "--exam", "toefl")
        if before:
            cli.json("discover", "--words", ",".join(before), "--source", "clipcafe", "--want", str(want))
        self.server.start()
        n_approved: Counter[str] = Counter()
        for mapping in self.server.ask("/api/review/queue?all=true")["items"]:
            decision = {"decision": "approve", "idempotency_key": f"before {mapping['mapping_id']}"}
            self.server.ask(f"/api/mappings/{mapping['mapping_id']}/decisions", decision)
            n_approved[mapping["word"]] += 1
        self.covered = tuple(word for word, n in n_approved.items() if n >= want)

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def secrets_path(self) -> Path:
        return self.world.cli.program / ".env.secrets"

    def worker_pid(self) -> int:
        """Of the worker that the server keeps. Raises: AssertionError where none is there."""
        pid = self.server.ask("/api/health")["worker_process"]["pid"]
        assert pid is not None
        return int(pid)

    def wait_for_status(self, *statuses: str, within_s: float = 120.0) -> None:
        wait_until(lambda: self.world.status() in statuses, f"a run that is {' or '.join(statuses)}", within_s=within_s)

    def is_idle(self) -> bool:
        """No run, no job and no call is under way."""
        under_way = {"runs": "status IN ('planned', 'running')", "jobs": "status IN ('queued', 'running')", "ledger": "state = 'intended'"}
        return not any(ask(self.world.home, f"SELECT count(*) FROM {table} WHERE {rows}")[0][0] for table, rows in under_way.items())

    def said(self) -> str:
        """All that the server and its workers logged."""
        return self.server.log_path.read_text(encoding="utf-8", errors="replace")


@contextmanager
def paid_app(folder: Path, *, films: PaidFilms, n_words: int, clips_a_word: int, judge_latency_s: float) -> Iterator[PaidApp]:
    """Both running; nothing is known of the keys to the server."""
    program = copy_program(folder / "program")
    shutil.copytree(REPO_PATH / ".streamlit", program / ".streamlit")
    world_of = {"n_words": n_words, "clips_a_word": clips_a_word, "judge_latency_s": judge_latency_s, "scale": SCALE, "limit": RATE}
    with paid_world(folder, program=program, films=films, **world_of) as world:
        settings = {name: world.cli.settings[name] for name in LOCKED}
        server = Server(world.home, "--no-demo", program_path=program, settings={**settings, "LOGNAME": "mina"})
        try:
            yield PaidApp(world, server)
        finally:
            server.stop()


def key_row(page: Page, variable: str) -> Locator:
    """The row of one key or address on the page of settings; while that is drawn anew, the new one."""
    return page.locator(f".st-key-wr-key-{variable}").last


def look(page: Page, name: str, *, sizes: bool = True, dark: str = "") -> None:
    """Pictures for people, where WORDREEL_TEST_PICTURES names a folder for them; else nothing.

    Args:
        dark: a text that stands on the page once it is drawn; a second browser then shows the same address in the dark.
    """
    folder = os.environ.get("WORDREEL_TEST_PICTURES")
    if not folder:
        return
    for size, (width, height) in SIZES.items() if sizes else [("1440", SIZES["1440"])]:
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(500)
        page.screenshot(path=f"{folder}/{name}-{size}.png")
    page.set_viewport_size({"width": 1440, "height": 900})
    browser = page.context.browser
    if dark and browser is not None:
        other = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme="dark").new_page()
        other.goto(page.url)
        other.get_by_text(dark).first.wait_for()
        other.wait_for_timeout(4000)
        other.screenshot(path=f"{folder}/{name}-1440-dark.png")
        other.context.close()
