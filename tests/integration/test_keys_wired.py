"""Keys entered on the page reach the real providers at once; a test of one costs what it says. Loopback ClipCafe and OpenAI."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.config import load_config
from core.services.keys import KeyTest
from core.wiring import App, build_app
from tests.loopback import clipcafe, openai
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.openai import LoopbackOpenAI


@pytest.fixture
def app() -> Iterator[App]:
    app = build_app(load_config())
    yield app
    app.close()


@pytest.fixture
def shop() -> Iterator[LoopbackClipCafe]:
    with LoopbackClipCafe([]) as server:
        yield server


@pytest.fixture
def server() -> Iterator[LoopbackOpenAI]:
    with LoopbackOpenAI() as server:
        yield server


def everything(path: Path) -> bytes:
    return b"\n".join(found.read_bytes() for found in sorted(path.rglob("*")) if found.is_file())


def tried(app: App, variable: str, value: str) -> KeyTest:
    app.keys.save(variable, value, "ines")
    return app.keys.test(variable, "ines")


def test_an_openai_key_is_tried_for_nothing_and_tells_its_models(app: App, server: LoopbackOpenAI) -> None:
    app.keys.save("OPENAI_BASE_URL", server.url, "ines")
    refused = tried(app, "OPENAI_API_KEY", "sk-wrong-key-000000000001")
    assert (refused.is_ok, refused.word) == (False, "refused") and "sk-wrong" not in refused.says
    works = tried(app, "OPENAI_API_KEY", openai.KEY)
    assert works.is_ok and works.models and works.costs == "nothing" and not server.paid
    assert app.judge_name == "openai", "no new start is needed"
    app.keys.remove("OPENAI_API_KEY", "ines")
    app.keys.remove("OPENAI_BASE_URL", "ines")
    assert app.judge_name == "rubric"
    assert openai.KEY.encode() not in everything(app.config.home_path)


def test_a_clipcafe_key_is_tried_with_one_request_of_the_month_each_time(app: App, shop: LoopbackClipCafe) -> None:
    app.keys.save("CLIPCAFE_BASE_URL", shop.url, "ines")
    works = tried(app, "CLIPCAFE", clipcafe.KEY)
    assert (works.is_ok, works.word, works.costs) == (True, "works", "1 request")
    assert (shop.n_arrived(), app.limits.requests.state().n_used) == (1, 1)
    shop.key = "revoked"
    again = app.keys.test("CLIPCAFE", "ines")
    assert (again.is_ok, again.word) == (False, "refused"), "the answer of before is not taken for an answer"
    assert (shop.n_arrived(), app.limits.requests.state().n_used) == (2, 2)
    assert clipcafe.KEY not in again.says + repr(app.settings.history())
    assert clipcafe.KEY.encode() not in everything(app.config.home_path)


def test_an_address_where_nobody_answers_says_so(app: App) -> None:
    app.keys.save("OPENAI_API_KEY", openai.KEY, "ines")
    app.keys.save("OPENAI_BASE_URL", "http://127.0.0.1:9/v1", "ines")
    app.keys.save("BACKEND_URL", "http://127.0.0.1:9/", "ines")
    assert app.keys.test("OPENAI_API_KEY", "ines").word == "not reached"
    found = app.keys.test("BACKEND_URL", "ines")
    assert not found.is_ok and found.says


def test_a_plan_entered_here_is_held_at_once(app: App) -> None:
    assert app.limits.downloads.state().limit is None
    app.settings.change({"clipcafe_downloads_per_month": 3, "clipcafe_rate": "600/60s"}, actor="ines")
    assert app.limits.downloads.state().n_left == 3
    assert (app.limits.slots.rate.limit, app.limits.slots.rate.window_s) == (600, 60.0)
