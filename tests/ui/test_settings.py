"""Settings: what is saved is an event; what is freed is gone; no secret reaches the page."""

import json

import pytest

from tests.ui.pages import button, checked, draw, html, labels, workspace


def test_saving_appends_events_with_who_and_when():
    with workspace() as (app, _):
        test = draw("settings", app)
        assert button(test, "Saved").disabled
        test.number_input(key="rule_want").set_value(4).run()
        test.checkbox(key="rule_is_strict").check().run()
        checked(button(test, "Save 2 changes").click().run())
        assert (app.settings.get("want"), app.settings.get("is_strict")) == (4, True)
        assert {change.name for change in app.settings.history()} == {"want", "is_strict"}
        assert all(change.actor for change in app.settings.history())
        assert "Saved: clips wanted a word 4" in html(test)
        assert "Saved" in labels(test)


def test_a_field_put_back_is_no_change():
    with workspace() as (app, _):
        test = draw("settings", app)
        test.number_input(key="rule_want").set_value(4).run()
        checked(test.number_input(key="rule_want").set_value(3).run())
        assert "Saved" in labels(test)
        assert app.settings.history() == []


def test_no_secret_reaches_the_page(monkeypatch):
    monkeypatch.setenv("BACKEND_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("BACKEND_TOKEN", "s3cret-token-value")
    with workspace() as (app, _):
        shown = html(draw("settings", app))
        assert "s3cret" not in shown
        assert "from BACKEND_TOKEN" in shown
        assert "127.0.0.1:9" in shown


def test_back_up_now_makes_a_backup_that_was_read_back():
    with workspace() as (app, _):
        test = draw("settings", app)
        checked(button(test, "Back up now").click().run())
        assert [report.is_verified for report in app.backups.list()] == [True]
        assert "Read back" in html(test)


def test_rejected_clips_are_freed_and_the_rest_stays():
    from core.model.reviews import DecisionKind

    with workspace() as (app, world):
        clip_id = world.clip("film-1", "To the rescue")
        world.decide(world.mapping(clip_id, "rescue"), DecisionKind.REJECT)
        world.approved("film-2", "We abandon ship", "abandon")
        test = draw("settings", app)
        found = next(known for known in test.button if known.label.startswith("Free "))
        assert not found.disabled
        checked(found.click().run())
        assert len(list(app.media_files.ids())) == 1
        assert "Freed" in html(test)


def test_the_demo_goes_with_one_click():
    with workspace() as (app, _):
        app.engine.is_held = True
        app.demo.start(actor="wordreel")
        app.engine.set("demo", "succeeded")
        test = draw("settings", app)
        checked(button(test, "Remove the demo").click().run())
        assert app.demo.state().state == "removed"
        assert "Remove the demo" not in labels(test)


@pytest.mark.slow
def test_doctor_says_here_what_it_says_in_a_terminal():
    with workspace() as (app, _):
        test = draw("settings", app)
        checked(button(test, "Run doctor").click().run(timeout=90))
        said = json.loads(test.session_state["wr_doctor"])
        assert said["checks"]
        assert said["checks"][0]["name"].replace("_", " ") in html(test)
        checked(button(test, "Close").click().run())
        assert "wr_doctor" not in test.session_state
