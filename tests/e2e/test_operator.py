"""An operator: whether all is well, a backup, and a demo that goes with one click and takes nothing real along."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from core.config import VARIABLES
from tests.e2e.app import REPO_PATH, Server


def command(app: Server, *arguments: str) -> Any:
    """The JSON that one command of the program prints."""
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | {"WORDREEL_HOME": str(app.home_path)}
    done = subprocess.run(
        [sys.executable, "-m", "ui.cli", *arguments, "--json"], cwd=REPO_PATH, env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def real(app: Server) -> list[Any]:
    return [row for row in app.ask("/api/coverage")["bundles"] if not row["bundle"].startswith("demo_")]


def test_all_is_well_and_backed_up(page: Page, app: Server) -> None:
    assert command(app, "doctor")["ok"] is True
    folder = app.home_path / "backups"
    before = {path.name for path in folder.iterdir()} if folder.exists() else set()
    page.goto(f"{app.address}/settings")
    page.get_by_role("button", name="Back up now").click()
    expect(page.get_by_text("read back.")).to_be_visible()
    made = {path.name for path in folder.iterdir()} - before
    assert any((folder / name / "app.db").is_file() for name in made)
    expect(page.get_by_role("table", name="Backups")).to_contain_text("Read back")


def test_the_demo_goes_with_one_click_and_nothing_real_with_it(page: Page, app: Server, tmp_path: Path) -> None:
    words_path = tmp_path / "words.csv"
    words_path.write_text("word,level\ndelay,beginner\nhesitate,beginner\narchipelago,advanced\n", encoding="utf-8")
    command(app, "vocab", "import", str(words_path), "--exam", "toefl")
    demo_word = app.ask("/api/review/queue?limit=1")["items"][0]
    app.ask(f"/api/mappings/{demo_word['mapping_id']}/decisions", {"decision": "approve", "idempotency_key": "operator"})
    before = real(app)
    assert before and all(row["approved"]["1"] == 0 for row in before), "a demo clip never counts for a real bundle"
    assert all(row["is_demo"] for row in app.ask("/api/coverage")["bundles"] if row not in before)

    page.goto(f"{app.address}/settings")
    page.get_by_role("button", name="Remove the demo").click()
    expect(page.get_by_text("The demo is gone. Nothing of your own was touched.")).to_be_visible(timeout=30_000)

    assert real(app) == before
    assert [row["bundle"] for row in app.ask("/api/coverage")["bundles"]] == [row["bundle"] for row in before]
    assert app.ask("/api/review/queue?all=true")["items"] == []
    assert app.ask("/api/runs")["runs"] == []
    assert not list((app.home_path / "demo").glob("*.mp4")) if (app.home_path / "demo").exists() else True
    for name in ("review", "coverage", "discover", "export", "library"):
        page.goto(f"{app.address}/{name}")
        expect(page.get_by_role("link", name="Settings")).to_be_visible()
        expect(page.get_by_text("emo clips")).to_have_count(0)
