"""Settings: what is saved is an event; what is freed is gone; no secret reaches the page."""

import json
import re
from datetime import date

import pytest

from core.config import load_config
from core.errors import KeyRefused
from core.services.keys import Keys, Told
from core.services.settings import prices_of
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


def test_a_damaged_backup_is_named_with_its_reason_and_is_not_the_one_to_restore():
    with workspace() as (app, _):
        sound, bad = app.backups.backup(), app.backups.backup()
        (bad.path / "manifest.json").write_text("{", encoding="utf-8")
        shown = html(draw("settings", app))
        assert "Damaged" in shown and "its manifest.json is not JSON" in shown
        assert f"restore {sound.path} --overwrite" in shown
        (sound.path / "manifest.json").unlink()
        shown = html(draw("settings", app))
        assert "it has no manifest.json" in shown and "run.py restore" not in shown


def test_backups_beyond_the_table_are_counted():
    with workspace() as (app, _):
        for _ in range(9):
            app.backups.backup(with_media=False)
        assert "1 older backup in" in html(draw("settings", app))


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


# Choices --------------------------------------------------------------------------------------------------------------


def test_the_judge_is_chosen_or_typed_and_put_back():
    with workspace() as (app, _):
        test = draw("settings", app)
        test.selectbox(key="rule_judge").set_value("gpt-4o").run()
        assert "gpt-4o from the next run" in html(test)
        checked(button(test, "Save 1 change").click().run())
        assert (app.settings.get("judge"), app.settings.get("judge_model")) == ("openai", "gpt-4o")
        checked(test.selectbox(key="rule_judge").set_value("Best available").run())
        checked(button(test, "Save 1 change").click().run())
        assert (app.settings.get("judge"), app.settings.get("judge_model")) == (None, None)


def test_the_models_offered_are_those_that_the_key_may_use():
    with workspace() as (app, _):
        own_keys(app, OPENAI_API_KEY=lambda: Told("3 models", ("own-chat-7b", "text-embedding-3-small", "whisper-1")))
        app.keys.save("OPENAI_API_KEY", KEY, "ines")
        test = draw("settings", app)
        assert "gpt-4o-mini" in test.selectbox(key="rule_judge").options
        checked(test.button(key="test_OPENAI_API_KEY").click().run())
        assert test.selectbox(key="rule_judge").options == ["Best available", "Teachability rubric", "own-chat-7b"]


def test_a_choice_that_the_operator_made_is_locked(monkeypatch):
    monkeypatch.setenv("JUDGE", "rubric")
    monkeypatch.setenv("TRANSCRIBER", "captions")
    monkeypatch.setenv("CLIPCAFE_RATE", "30/60s")
    monkeypatch.setenv("CLIPCAFE_DOWNLOADS_PER_MONTH", "1234")
    with workspace() as (app, _):
        test = draw("settings", app)
        shown = html(test)
        for name in ("JUDGE", "TRANSCRIBER", "CLIPCAFE_RATE", "CLIPCAFE_DOWNLOADS_PER_MONTH"):
            assert f"from {name}" in shown
        assert "1,234" in shown and "Requests in any 30" not in shown
        assert not {box.key for box in test.selectbox} & {"rule_judge", "rule_transcriber"}
        assert "rule_clipcafe_requests_per_month" in {known.key for known in test.number_input}


def test_the_plan_is_entered_and_what_is_left_is_said():
    with workspace() as (app, _):
        app.limits.downloads.take()
        test = draw("settings", app)
        assert test.number_input(key="rule_clipcafe_downloads_per_month").value is None
        assert "1 used, counted until 1" in html(test)
        test.number_input(key="rule_clipcafe_downloads_per_month").set_value(1000).run()
        test.number_input(key="rule_rate_limit").set_value(600).run()
        checked(button(test, "Save 2 changes").click().run())
        assert (app.settings.get("clipcafe_downloads_per_month"), app.settings.get("clipcafe_rate")) == (1000, "600/60s")
        assert "1 used, 999 left until 1" in html(test)
        assert app.config.clipcafe_rate == (600, 60.0)
        test.number_input(key="rule_clipcafe_downloads_per_month").set_value(None).run()
        checked(button(test, "Save 1 change").click().run())
        assert app.settings.get("clipcafe_downloads_per_month") is None


def test_two_tabs_that_change_the_same_setting_meet():
    with workspace() as (app, _):
        mine, other = draw("settings", app), draw("settings", app)
        mine.number_input(key="rule_want").set_value(5).run()
        other.number_input(key="rule_want").set_value(7).run()
        checked(button(other, "Save 1 change").click().run())
        checked(button(mine, "Save 1 change").click().run())
        assert "meanwhile; nothing of yours was saved" in html(mine)
        assert app.settings.get("want") == 7 and mine.number_input(key="rule_want").value == 5
        checked(button(mine, "Save 1 change").click().run())
        assert app.settings.get("want") == 5
        assert checked(other.run()).number_input(key="rule_want").value == 5, "a field that is not changed follows"


# Prices ---------------------------------------------------------------------------------------------------------------


def test_a_price_is_edited_taken_back_and_not_known():
    with workspace() as (app, _):
        test = draw("settings", app)
        assert "list prices of 21 June 2026" in html(test) and "not known" not in html(test).split("ClipCafe plan")[0]
        test.selectbox(key="price_model").set_value("gpt-4o").run()
        test.text_input(key="price_in_gpt-4o_0").set_value("")
        test.text_input(key="price_out_gpt-4o_0").set_value("$12.50")
        checked(button(test, "Save price").click().run())
        (edit,) = app.settings.get("prices")
        assert (edit["model"], edit["in_usd"], edit["out_usd"], edit["cached_usd"]) == ("gpt-4o", None, 12.5, 1.25)
        assert date.fromisoformat(edit["as_of"])
        shown = html(test)
        assert "not known" in shown and "12.50" in shown and "checked " in shown
        checked(button(test, "Back to the list price").click().run())
        assert app.settings.get("prices") == [] and prices_of(app.settings)["gpt-4o"].in_usd == 2.5


@pytest.mark.parametrize("text", ["cheap", "-1", "nan", "inf", "0,15", "1e999"])
def test_a_price_that_is_no_price_is_refused_in_words(text):
    with workspace() as (app, _):
        test = draw("settings", app)
        test.text_input(key="price_in_gpt-4o-mini_0").set_value(text)
        checked(button(test, "Save price").click().run())
        assert "such as 0.15" in html(test) and app.settings.get("prices") == []


def test_the_model_in_use_without_a_price_reads_not_known(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("JUDGE_MODEL", "own-chat-7b")
    with workspace() as (app, _):
        rows = html(draw("settings", app)).split("Prices in US dollars")[1].split("<tr>")
        row = next(row for row in rows if "own-chat-7b" in row)
        assert "judge" in row and row.count("not known") == 2


def test_two_tabs_that_change_prices_lose_none():
    with workspace() as (app, _):
        mine, other = draw("settings", app), draw("settings", app)
        other.text_input(key="price_in_gpt-4o-mini_0").set_value("9")
        checked(button(other, "Save price").click().run())
        mine.text_input(key="price_in_gpt-4o-mini_0").set_value("8")
        checked(button(mine, "Save price").click().run())
        assert app.settings.get("prices")[0]["in_usd"] == 9.0
        assert "9.00" in html(mine)


# Keys -----------------------------------------------------------------------------------------------------------------

KEY = "sk-0a1b2c3d4e5f6071Q7vT"


def own_keys(app, **testers):
    """The application's keys with tests of our own; `environ` is the test's."""
    app.__dict__["keys"] = Keys(app.config.root_path, app.settings, testers)


def field(test, variable):
    """The one field of a key."""
    (found,) = [known for known in test.text_input if re.fullmatch(rf"key_{variable}_\d+", str(known.key))]
    return found


def state_of(test) -> str:
    return repr(test.session_state._state._state)


def tree_of(test) -> str:
    """Everything that went to the browser."""
    return "".join(str(node.proto) for node in test.main) + "".join(str(node.proto) for node in test.get("text_input"))


def test_a_key_is_entered_tested_and_removed_and_never_shown_again(capfd, caplog):
    with workspace() as (app, _):
        asked = []
        own_keys(app, OPENAI_API_KEY=lambda: asked.append(1) or f"3 models for {KEY}")
        test = draw("settings", app)
        field(test, "OPENAI_API_KEY").set_value(f" {KEY} ")
        checked(test.button(key="save_OPENAI_API_KEY").click().run())
        assert KEY not in state_of(test) + tree_of(test), "gone from the session at once"
        assert field(test, "OPENAI_API_KEY").value == ""
        assert field(test, "OPENAI_API_KEY").placeholder == "••••••••••••Q7vT"
        assert "OpenAI key saved" in html(test) and "not tested yet" in html(test) and not asked
        checked(test.button(key="test_OPENAI_API_KEY").click().run())
        assert asked and "works, " in html(test)
        for shown in (state_of(test), tree_of(test), html(test), repr(app.settings.history()), caplog.text, *capfd.readouterr()):
            assert KEY not in shown
        written = [path for path in app.config.home_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
        assert written == []
        assert load_config().openai_api_key == KEY
        checked(test.button(key="remove_OPENAI_API_KEY").click().run())
        assert load_config().openai_api_key == ""
        assert "OpenAI key</td>" in html(test), "the history names it"


def test_a_typed_key_is_saved_before_it_is_tested():
    with workspace() as (app, _):
        own_keys(app, OPENAI_API_KEY=lambda: f"asked with {load_config().openai_api_key[-4:]}")
        test = draw("settings", app)
        checked(test.button(key="test_OPENAI_API_KEY").click().run())
        assert "There is nothing to test: no OpenAI key is set." in html(test)
        field(test, "OPENAI_API_KEY").set_value(KEY)
        checked(test.button(key="test_OPENAI_API_KEY").click().run())
        assert load_config().openai_api_key == KEY
        assert "asked with Q7vT" in html(test)


def test_a_key_that_is_refused_says_so_in_words_and_without_the_key():
    def refuse():
        raise KeyRefused(f"api.clip.cafe refuses the key {KEY} (401).", hint="Check CLIPCAFE.")

    with workspace() as (app, _):
        own_keys(app, CLIPCAFE=refuse)
        app.keys.save("CLIPCAFE", KEY, "ines")
        test = draw("settings", app)
        assert test.button(key="test_CLIPCAFE").help == "Test uses 1 request."
        checked(test.button(key="test_CLIPCAFE").click().run())
        shown = html(test)
        assert "refused, " in shown and "api.clip.cafe refuses the key *** (401)" in shown and KEY not in shown + state_of(test)


def test_a_key_that_cannot_be_one_is_not_saved_and_not_kept_in_the_session():
    with workspace() as (app, _):
        test = draw("settings", app)
        bad = f"{KEY} {KEY}"
        field(test, "CLIPCAFE").set_value(bad)
        checked(test.button(key="save_CLIPCAFE").click().run())
        assert "holds a blank" in html(test)
        assert KEY not in html(test) + state_of(test) + tree_of(test)
        assert not load_config().clipcafe_key
        assert "holds a blank" not in html(checked(test.run()))


def test_an_address_is_edited_and_emptied():
    with workspace() as (app, _):
        test = draw("settings", app)
        field(test, "BACKEND_URL").set_value("https://lessons.example.org/in")
        checked(test.button(key="save_BACKEND_URL").click().run())
        assert load_config().backend_url == "https://lessons.example.org/in"
        assert field(test, "BACKEND_URL").value == "https://lessons.example.org/in"
        checked(test.button(key="save_BACKEND_URL").click().run())
        assert len(app.settings.history()) == 1, "the same again is no change"
        field(test, "BACKEND_URL").set_value("")
        checked(test.button(key="save_BACKEND_URL").click().run())
        assert load_config().backend_url == ""


def test_a_key_changed_in_another_tab_is_not_overwritten_silently():
    with workspace() as (app, _):
        mine = draw("settings", app)
        app.keys.save("CLIPCAFE", "entered-by-jonas-1111", "jonas")
        field(mine, "CLIPCAFE").set_value(KEY)
        checked(mine.button(key="save_CLIPCAFE").click().run())
        assert "was changed meanwhile" in html(mine)
        assert load_config().clipcafe_key == "entered-by-jonas-1111"


def test_a_locked_key_has_no_field(monkeypatch):
    monkeypatch.setenv("CLIPCAFE", KEY)
    with workspace() as (app, _):
        test = draw("settings", app)
        assert not [known for known in test.text_input if re.fullmatch(r"key_CLIPCAFE_\d+", str(known.key))]
        assert "from CLIPCAFE" in html(test) and "••••••••••••Q7vT" in html(test) and KEY not in html(test)
        assert not test.button(key="test_CLIPCAFE").disabled
