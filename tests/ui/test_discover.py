"""Discover: a click on Start makes a run; pause, cancel, retry and the counts are what the rows say."""

import pytest

from core.model.clips import FilmFacts, Hit, Source
from core.model.runs import RunSettings, RunStatus, Stage, StopCause, WordState
from core.services.discovery import WordChoice
from core.services.run_progress import read_progress
from core.store.choices import NewChoice, save_choices
from core.store.clips import save_hit
from core.store.rate_slots import RateSlots
from core.store.runs import add_note, set_run, set_run_clip, set_run_word
from tests.ui.pages import EVIL, LIST, button, checked, draw, html, labels, ways, workspace
from ui.parts.discover_limiter import limits_of
from ui.parts.foot import source_line


@pytest.fixture
def app():
    with workspace() as (app, _):
        app.vocabulary.import_list(LIST, exam="toefl", file_name="toefl.csv")
        yield app


@pytest.fixture
def keyed(monkeypatch):
    """With a key for ClipCafe, its plan in part, and a judge that is paid."""
    monkeypatch.setenv("CLIPCAFE", "a-key-that-is-none")
    monkeypatch.setenv("CLIPCAFE_RATE", "2/60s")
    monkeypatch.setenv("CLIPCAFE_DOWNLOADS_PER_MONTH", "1000")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-that-is-none")
    with workspace() as (app, _):
        app.vocabulary.import_list(LIST, exam="toefl", file_name="toefl.csv")
        yield app


def launched(app, source=Source.LIBRARY, **choice):
    chosen = app.discovery.choose(WordChoice(**(choice or {"bundle": "toefl_advanced"})))
    return app.discovery.launch(chosen, RunSettings(source=source), actor="mina")


def worker(app):
    """A worker that beats, as far as the page can see."""
    from core.pipeline.janitor import register, this_process

    register(app.database, this_process("w"), [])


def test_a_judge_whose_model_repeats_its_name_is_named_once(app):
    for shown in (html(draw("discover", app, run="new", typed="rescue")), html(draw("discover", app, run=launched(app)))):
        assert "rubric-1" in shown and "rubric rubric-1" not in shown


def test_without_a_run_it_says_so_and_shows_what_a_run_would_do(app):
    test = draw("discover", app)
    assert "No run yet." in html(test)
    assert "Start run" in labels(test)
    assert app.discovery.runs() == []


def test_a_plan_over_own_films_promises_nothing_where_there_is_no_film(app):
    test = draw("discover", app, gaps="toefl_beginner")
    shown = html(test)
    assert "No film to look in yet: every word would end without a clip." in shown
    assert "Words that gain a clip" not in shown and "What these figures rest on" not in shown
    assert ways(test)["Add films"] == "/library"


def test_start_makes_a_run_over_the_words_of_the_bundle_and_shows_it(app):
    test = draw("discover", app, gaps="toefl_beginner")
    checked(button(test, "Start run").click().run())
    run = app.discovery.runs()[0]
    assert (run.name, run.settings.bundle, run.settings.want) == ("gaps of toefl_beginner", "toefl_beginner", 3)
    assert [word.word for word in app.discovery.words(run.run_id)] == ["abandon", "rescue"]
    assert test.query_params["run"] in (run.run_id, [run.run_id])
    assert (run.run_id, 1, "run") in app.engine.started


def test_the_limits_on_the_page_are_the_runs(app):
    test = draw("discover", app, run="new")
    test.number_input(key="want").set_value(5).run()
    checked(button(test, "Start run").click().run())
    assert app.discovery.runs()[0].settings.want == 5


def test_typed_words_are_planned_without_being_written(app):
    test = draw("discover", app, run="new", typed="emergency, abandon")
    assert {bundle.name for bundle in app.vocabulary.bundles()} == {"toefl_beginner", "toefl_intermediate", "toefl_advanced"}
    checked(button(test, "Start run").click().run())
    assert [word.word for word in app.discovery.words(app.discovery.runs()[0].run_id)] == ["emergency", "abandon"]


def test_a_word_that_is_markup_is_shown_as_text(app):
    run_id = launched(app)
    with app.database.write() as connection:
        word_id = app.discovery.words(run_id)[0].word_id
        set_run_word(connection, run_id, word_id, state=WordState.FAILED, stage=Stage.FETCH, reason=EVIL)
    shown = html(draw("discover", app, run=run_id))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_pause_resume_and_cancel_change_the_run(app):
    run_id = launched(app)
    test = draw("discover", app, run=run_id)
    checked(button(test, "Pause").click().run())
    assert app.discovery.run(run_id).status is RunStatus.PAUSED
    checked(button(test, "Resume").click().run())
    assert app.discovery.run(run_id).status is RunStatus.RUNNING
    checked(button(test, "Cancel").click().run())
    assert app.discovery.run(run_id).status is RunStatus.CANCELLED


def test_a_run_without_a_worker_says_what_it_waits_for(app):
    assert "Waiting for a worker. None is alive." in html(draw("discover", app, run=launched(app)))


def test_retry_begins_just_the_failed_words_again(app):
    run_id = launched(app)
    failed, done, *_ = app.discovery.words(run_id)
    with app.database.write() as connection:
        set_run_word(connection, run_id, failed.word_id, state=WordState.FAILED, stage=Stage.FETCH, reason="The film is gone.")
        set_run_word(connection, run_id, done.word_id, state=WordState.DONE, stage=Stage.CHOOSE, detail="2 clips to review")
        set_run(connection, run_id, status=RunStatus.SUCCEEDED)
    test = draw("discover", app, run=run_id)
    assert "The film is gone." in html(test)
    checked(button(test, "Retry 1 failed").click().run())
    states = {word.word: word.state for word in app.discovery.words(run_id)}
    assert states[failed.word] is WordState.QUEUED
    assert states[done.word] is WordState.DONE


def test_the_tabs_filter_and_count(app):
    run_id = launched(app)
    first = app.discovery.words(run_id)[0]
    with app.database.write() as connection:
        set_run_word(connection, run_id, first.word_id, state=WordState.NONE_FOUND, stage=Stage.SEARCH, reason="No line has it", n_hits=0)
    test = draw("discover", app, run=run_id)
    test.segmented_control(key=f"tab_{run_id}").set_value("none_found").run()
    table = html(checked(test)).split("Words of this run")[1]
    assert "No line has it" in table
    assert "rescue" not in table


def test_the_strip_counts_what_the_rows_hold(app):
    run_id = launched(app)
    words = app.discovery.words(run_id)
    with app.database.write() as connection:
        set_run_word(connection, run_id, words[0].word_id, state=WordState.WORKING, stage=Stage.TRANSCRIBE, n_hits=7, n_kept=3)
    found = {count.stage: count for count in read_progress(app.database, run_id).stages}
    assert (found[Stage.PLAN].n_done, found[Stage.SEARCH].n_done, found[Stage.SEARCH].n_all) == (3, 1, 3)
    assert (found[Stage.SHORTLIST].n_done, found[Stage.SHORTLIST].n_all) == (3, 7)
    assert found[Stage.TRANSCRIBE].n_working == 1


def test_an_unknown_run_is_an_error_with_a_way_out(app):
    launched(app)
    assert "There is no run nothing." in html(draw("discover", app, run="nothing"))


# A source that is scarce ---------------------------------------------------------------------------------------------


def test_clipcafe_comes_first_when_its_key_is_set_and_the_run_has_exactly_the_limits_of_the_page(keyed):
    test = draw("discover", keyed, run="new")
    assert test.radio(key="source").value is Source.CLIPCAFE
    test.number_input(key="want").set_value(2)
    test.number_input(key="max_downloads").set_value(150)
    test.number_input(key="max_cost").set_value(1.5)
    test.number_input(key="max_videos").set_value(40).run()
    assert "Stops at 2 clips a word, 150 downloads or $1.50, whichever comes first." in html(test)
    assert keyed.discovery.runs() == []
    checked(button(test, "Start run").click().run())
    settings = keyed.discovery.runs()[0].settings
    assert (settings.source, settings.want, settings.max_downloads, settings.max_cost_usd) == (Source.CLIPCAFE, 2, 150, 1.5)
    assert (settings.max_videos, settings.judge) == (40, "openai")


def test_own_films_can_be_chosen_beside_a_key_and_take_no_downloads(keyed):
    test = draw("discover", keyed, run="new")
    test.radio(key="source").set_value(Source.LIBRARY).run()
    assert "max_downloads" not in [field.key for field in test.number_input]
    checked(button(test, "Start run").click().run())
    assert keyed.discovery.runs()[0].settings.source is Source.LIBRARY


def test_without_a_key_clipcafe_cannot_be_started_and_the_way_to_settings_is_there(app):
    test = draw("discover", app, run="new")
    assert test.radio(key="source").value is Source.LIBRARY
    test.radio(key="source").set_value(Source.CLIPCAFE).run()
    assert button(test, "Start run").disabled
    assert "ClipCafe has no key yet. Enter it in Settings." in html(checked(test))
    assert ways(test)["Enter the key in Settings"] == "/settings"
    assert app.discovery.runs() == []


def test_a_cost_can_be_limited_only_where_something_is_paid(app):
    test = draw("discover", app, run="new")
    assert "max_cost" not in [field.key for field in test.number_input]


def test_the_plan_stands_beside_what_is_left_and_an_unset_quota_is_not_known(keyed):
    keyed.limits.downloads.take()
    keyed.limits.slots.reserve()
    shown = html(draw("discover", keyed, run="new"))
    assert "999 left" in shown and "of 1,000" in shown
    assert "not known" in shown and "Set it" in shown
    assert "1 free" in shown
    assert "shortest possible time" in shown


def test_a_price_that_is_not_known_makes_the_plan_at_least(keyed, monkeypatch):
    keyed.settings.set("judge_model", "a-model-of-our-own", actor="mina")
    test = draw("discover", keyed, run="new")
    assert "at least $" in html(test)
    assert "a price is not known" in html(test)


def test_the_command_names_the_source_and_the_limits(keyed):
    test = draw("discover", keyed, run="new", gaps="toefl_beginner")
    test.number_input(key="max_downloads").set_value(150)
    test.number_input(key="max_cost").set_value(0.5).run()
    expected = "discover --gaps toefl_beginner --source clipcafe --want 3 --max-videos 100 --max-downloads 150 --max-cost 0.5"
    assert expected in test.code[0].value


def test_what_another_run_looks_for_is_subtracted(keyed):
    launched(keyed, Source.CLIPCAFE, words=("abandon",))
    shown = html(draw("discover", keyed, run="new", gaps="toefl_beginner"))
    assert "In run 1" in shown
    assert "Words read 2, Covered 0, In review 0, In run 1 1, To search 1" in shown


def test_the_foot_says_what_is_left_or_the_rate(keyed, monkeypatch):
    assert source_line(limits_of(keyed)) == "ClipCafe, 2 requests in 60 s, month’s requests not known"
    keyed.settings.set("clipcafe_requests_per_month", 3588, actor="mina")
    assert source_line(limits_of(keyed)) == "ClipCafe, 3,588 requests left this month"


def test_a_run_says_that_it_waits_for_a_slot_and_when_the_next_search_goes_out(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    worker(keyed)
    keyed.limits.slots.reserve(), keyed.limits.slots.reserve()
    shown = html(draw("discover", keyed, run=run_id))
    assert "Waiting for ClipCafe’s rate limit. Next search in " in shown
    assert "2 of 2 calls in the last 60 s" in shown
    assert "wr-limiter" in shown


def test_a_block_of_the_provider_is_shown_with_its_time(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    worker(keyed)
    keyed.limits.slots.block(170, "api.clip.cafe answered 429.")
    shown = html(draw("discover", keyed, run=run_id))
    assert "ClipCafe asked everyone to wait: 3 min left." in shown
    assert "api.clip.cafe answered 429." in shown


def test_a_judge_that_asks_everybody_to_wait_is_shown_with_its_time(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    worker(keyed)
    with keyed.database.write() as connection:
        set_run_word(connection, run_id, keyed.discovery.words(run_id)[0].word_id, state=WordState.WORKING, stage=Stage.SHORTLIST)
    RateSlots(keyed.database, keyed.openai_server.host, 1, 60.0).block(170, "api.openai.com answered 429.")
    shown = html(draw("discover", keyed, run=run_id))
    assert "api.openai.com asked everyone to wait: 3 min left." in shown
    assert "api.openai.com answered 429." in shown


def test_a_refused_key_is_one_message_with_its_remedy_and_resume_goes_on(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    with keyed.database.write() as connection:
        set_run(connection, run_id, status=RunStatus.PAUSED, stopped_for=StopCause.KEY, reason=f"The key is refused. {EVIL}")
    test = draw("discover", keyed, run=run_id)
    shown = html(test)
    assert shown.count("The key is refused.") == 1
    assert "Enter a new key in Settings, then resume." in shown and 'href="/settings"' in shown
    assert "<script>" not in shown
    checked(button(test, "Resume").click().run())
    assert keyed.discovery.run(run_id).status is RunStatus.RUNNING


def test_words_that_wait_for_a_quota_have_their_own_tab_with_the_reason(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    words = keyed.discovery.words(run_id)
    with keyed.database.write() as connection:
        for word in words[:2]:
            set_run_word(
                connection, run_id, word.word_id, state=WordState.WAITING_FOR_QUOTA, stage=Stage.FETCH, reason="The limit of 5 downloads."
            )
        set_run_word(connection, run_id, words[2].word_id, state=WordState.NONE_FOUND, stage=Stage.SEARCH, reason="No clip found", n_hits=0)
        set_run(connection, run_id, status=RunStatus.WAITING_FOR_QUOTA)
    test = draw("discover", keyed, run=run_id)
    assert "The limit of 5 downloads. 2 words wait, with their place kept." in html(test)
    test.segmented_control(key=f"tab_{run_id}").set_value("quota").run()
    table = html(checked(test)).split("Words of this run")[1]
    assert table.count("The limit of 5 downloads.") == 4  # in view and as its title, twice
    assert "No clip found" not in table


def test_the_notes_and_the_choices_of_a_run_are_shown_as_text(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    word = keyed.discovery.words(run_id)[0]
    gains = [{"word_id": word.word_id, "probability": 0.62, "counts_for": 1.0, "score": 0.85, "level": "beginner"}]
    with keyed.database.write() as connection:
        clip = save_hit(connection, Hit(Source.CLIPCAFE, "s", "", f"Say it. {EVIL}", "", 5.0, FilmFacts(f"Charade {EVIL}")), "k")
        set_run_clip(connection, run_id, word.word_id, clip.clip_id, stage=Stage.CHOOSE, outcome="chosen")
        save_choices(
            connection, run_id, 1, [NewChoice(clip.clip_id, word.word_id, 0.62, gains, {"n_words": 1, "film": EVIL, "n_decided": 41})]
        )
        add_note(connection, run_id, f"The backend could not say. {EVIL}")
    test = draw("discover", keyed, run=run_id)
    assert "The backend could not say." in html(test)
    test.segmented_control(key=f"tab_{run_id}").set_value("chosen").run()
    shown = html(checked(test))
    assert "Window 1" in shown and "0.62 approved words expected" in shown and "n = 41" in shown and "Charade" in shown
    assert "<script>" not in shown and "onerror=alert(1)>" not in shown


def test_spent_stands_beside_planned(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    plan = keyed.discovery.run(run_id).plan
    shown = html(draw("discover", keyed, run=run_id)).split("Plan and spent")[1]
    assert f"of {plan['requests']:,}" in shown and f"of {plan['downloads']:,}" in shown
    assert "Left this month" in shown and "1,000" in shown


def test_no_page_of_discover_shows_a_key(keyed):
    run_id = launched(keyed, Source.CLIPCAFE)
    for query in ({"run": "new"}, {"run": run_id}):
        test = draw("discover", keyed, **query)
        assert "that-is-none" not in html(test) + "".join(str(code.value) for code in test.code)
