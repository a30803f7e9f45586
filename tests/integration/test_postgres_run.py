"""A run whose downloads are limited, from plan to the page that follows it, on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.model.runs import RunSettings
from core.services.discovery import WordChoice
from core.services.run_choices import count_choices, read_choices
from core.services.run_progress import read_progress
from core.services.run_spending import read_spending, spent_lines
from tests.integration.test_choose import LimitedWorld
from tests.loopback.discovery_world import hit
from tests.loopback.postgres import fresh_database, serve_postgres


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_postgres() as address:
        yield address


def test_limited_runs_on_postgresql(server: str, tmp_path: Path) -> None:
    with fresh_database(server, "limited") as address:
        world = LimitedWorld(tmp_path / "home", address)
        texts = ("refer", "matter", "committee", "harbour")
        world.source.hits = {
            word: [hit(f"{word}-{place}", f"They refer the matter {place} to the {word}.") for place in range(4)] for word in texts
        }
        chosen = world.discovery.choose(WordChoice(words=texts), want=2)
        plan = world.discovery.plan(chosen, RunSettings(want=2))
        assert (plan.words, plan.already_covered) == (4, 0)
        run_id = world.launch(*texts, want=2, max_downloads=2)
        assert world.run_threads(run_id).status == "waiting_for_quota"
        assert len(world.source.fetches) == 2
        run_id = world.launch(*texts, want=2)
        summary = world.run_threads(run_id)
        assert (summary.status, summary.words["done"]) == ("succeeded", 4)
        again = world.discovery.plan(world.discovery.choose(WordChoice(words=texts), want=6), RunSettings(want=6))
        assert (again.searches, again.searches_kept, again.already_covered) == (0, 4, 0)
        progress = read_progress(world.database, run_id)
        assert progress.n_ended == 4
        assert spent_lines(progress, read_spending(world.database, progress))
        n_fetched = len(world.source.fetches) - 2
        assert count_choices(world.database, run_id).n_clips == n_fetched
        assert sum(len(window.choices) for window in read_choices(world.database, run_id, limit=50)) == n_fetched
        world.close()
