"""Settings in the database: what a value must be, who changed it, and two tabs that change the same one."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import Conflict, InvalidInput
from core.rules.prices import DEFAULT_PRICES, ModelPrice, price_json
from core.services.settings import DEFAULTS, Settings, check_setting, prices_of
from core.store.database import Database


@pytest.fixture
def settings(tmp_path: Path):
    database = Database(tmp_path)
    yield Settings(database)
    database.close()


def test_every_default_can_be_set():
    for name, value in DEFAULTS.items():
        check_setting(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("want", 1), ("want", 20), ("min_score", 0), ("min_score", 1.0), ("is_strict", True), ("clipcafe_rate", "10/60s"),
        ("clipcafe_rate", "600/60"),
        ("clipcafe_requests_per_month", 0), ("clipcafe_downloads_per_month", 1000), ("judge", "rubric"), ("judge", "openai"),
        ("judge_model", "gpt-4o-mini"), ("transcriber", "captions"), ("judge_in_flight", 64), ("search_max_age_days", 3650),
        ("prices", [price_json(ModelPrice("m", 1.0, None))]),
    ],
)  # fmt: skip
def test_values_that_a_setting_can_have(settings: Settings, name: str, value: object) -> None:
    settings.set(name, value, actor="ines")
    assert settings.get(name) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("colour", 1), ("want", 0), ("want", 21), ("want", True), ("want", 2.5), ("want", None), ("min_score", 1.01),
        ("min_score", float("nan")),
        ("min_score", True), ("is_strict", 1), ("clipcafe_rate", "10"), ("clipcafe_rate", "0/60s"), ("clipcafe_rate", "10/0s"),
        ("clipcafe_rate", 10),
        ("clipcafe_rate", "9999999/60s"), ("clipcafe_rate", "10/999999s"), ("clipcafe_requests_per_month", -1),
        ("clipcafe_requests_per_month", 1.5), ("clipcafe_downloads_per_month", "1000"), ("clipcafe_downloads_per_month", False),
        ("judge", "coin"), ("judge", ""), ("judge_model", ""), ("judge_model", " "), ("judge_model", "a\nb"), ("judge_model", "m" * 201),
        ("transcriber", "ear"), ("judge_in_flight", 0), ("judge_in_flight", 65), ("judge_in_flight", None), ("search_max_age_days", 0),
        ("search_max_age_days", 3651), ("prices", None), ("prices", [{"model": "m", "in_usd": -1}]),
    ],
)  # fmt: skip
def test_values_that_are_refused_and_change_nothing(settings: Settings, name: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        settings.change({"judge": "rubric", name: value}, actor="ines")
    assert settings.history() == []


def test_two_tabs_do_not_overwrite_each_other_silently(settings: Settings) -> None:
    settings.change({"want": 4}, actor="jonas", seen={"want": 0})
    with pytest.raises(Conflict, match="jonas changed want to 4"):
        settings.change({"want": 5, "is_strict": True}, actor="ines", seen={"want": 0, "is_strict": 0})
    assert settings.get("want") == 4 and settings.get("is_strict") is False
    seen = {name: change.event_id for name, change in settings.newest().items()}
    settings.change({"want": 5}, actor="ines", seen=seen)
    assert [(change.actor, change.value) for change in settings.history()] == [("ines", 5), ("jonas", 4)]


def test_amending_keeps_what_is_there(settings: Settings) -> None:
    settings.amend("key_tests", lambda old: {**old, "a": 1}, actor="ines")
    settings.amend("key_tests", lambda old: {**old, "b": 2}, actor="ines")
    assert settings.get("key_tests") == {"a": 1, "b": 2}


def test_edited_prices_stand_over_the_list(settings: Settings) -> None:
    settings.set("prices", [price_json(ModelPrice("my-own", 1.0, 2.0)), price_json(ModelPrice("gpt-4o"))], actor="ines")
    prices = prices_of(settings)
    assert prices["my-own"].out_usd == 2.0
    assert prices["gpt-4o"].in_usd is None
    assert prices["gpt-4o-mini"] == DEFAULT_PRICES["gpt-4o-mini"]
