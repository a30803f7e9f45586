"""Keys and plans that change while a process lives."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.config import load_config
from core.model.clips import Source
from core.model.runs import RunSettings
from core.providers import Providers


def providers(folder: Path, **environ: str) -> Providers:
    settings = {"WORDREEL_HOME": str(folder / "home"), **environ}
    return Providers(load_config(settings, root_path=folder), reload=lambda: load_config(settings, root_path=folder))


def test_a_key_that_is_entered_later_is_used_from_then_on(tmp_path: Path) -> None:
    app = providers(tmp_path)
    before = app.clipcafe
    assert (app.is_set_up(Source.CLIPCAFE), app.judge_name) == (False, "rubric")
    assert app.clipcafe is before, "built once while nothing changes"
    (tmp_path / ".env.secrets").write_text("CLIPCAFE=cc-1\nOPENAI_API_KEY=sk-1\n")
    assert (app.is_set_up(Source.CLIPCAFE), app.judge_name, app.clipcafe is before) == (True, "openai", False)
    (tmp_path / ".env.secrets").unlink()
    assert (app.is_set_up(Source.CLIPCAFE), app.judge_name) == (False, "rubric")
    app.close_providers()
    app.database.close()


def test_a_plan_that_is_entered_counts_and_the_environment_wins(tmp_path: Path) -> None:
    app = providers(tmp_path, CLIPCAFE_DOWNLOADS_PER_MONTH="1000")
    app.settings.set("clipcafe_rate", "60/60s", actor="ines")
    app.settings.set("clipcafe_requests_per_month", 2000, actor="ines")
    app.settings.set("clipcafe_downloads_per_month", 7, actor="ines")
    limits = app.limits
    assert (limits.slots.rate.limit, limits.requests.limit, limits.downloads.limit) == (60, 2000, 1000)
    app.settings.set("clipcafe_requests_per_month", None, actor="ines")
    assert app.limits.requests.limit is None
    app.database.close()


def test_a_file_that_cannot_be_used_is_not_followed_and_says_so(tmp_path: Path) -> None:
    app = providers(tmp_path)
    (tmp_path / ".env").write_text("CLIPCAFE_RATE=fast\nJUDGE_MODEL=other\n")
    assert app.config.judge_model == "gpt-4o-mini"
    rows = [row for row in app.providers() if not row.is_ok]
    assert len(rows) == 1 and "CLIPCAFE_RATE" in rows[0].why
    (tmp_path / ".env").write_text("JUDGE_MODEL=other\n")
    assert app.config.judge_model == "other" and all(row.is_ok for row in app.providers())
    app.database.close()


def test_where_a_process_keeps_its_data_does_not_move_under_it(tmp_path: Path) -> None:
    app = providers(tmp_path)
    (tmp_path / ".env").write_text("PORT=9999\nMEDIA_URL=/elsewhere\n")
    assert (app.config.port, app.config.media_url) == (8501, "")
    app.database.close()


@pytest.mark.parametrize("is_demo", [True, False])
def test_a_demo_is_never_judged_by_what_is_paid(tmp_path: Path, is_demo: bool) -> None:
    app = providers(tmp_path, OPENAI_API_KEY="sk-1")
    frozen = app.freeze(RunSettings(is_demo=is_demo))
    assert (frozen.judge, frozen.judge_model) == (("rubric", "rubric-1") if is_demo else ("openai", "gpt-4o-mini"))
    app.close_providers()
    app.database.close()
