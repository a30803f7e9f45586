"""Discover: a click on Start makes a run; pause, cancel, retry and the counts are what the rows say."""

import pytest

from core.model.runs import RunSettings, RunStatus, Stage, WordState
from core.services.discovery import WordChoice
from core.services.run_progress import read_progress
from core.store.runs import set_run, set_run_word
from tests.ui.pages import EVIL, LIST, button, checked, draw, html, labels, workspace


@pytest.fixture
def app():
    with workspace() as (app, _):
        app.vocabulary.import_list(LIST, exam="toefl", file_name="toefl.csv")
        yield app


def launched(app, **choice):
    chosen = app.discovery.choose(WordChoice(**(choice or {"bundle": "toefl_advanced"})))
    return app.discovery.launch(chosen, RunSettings(), actor="mina")


def test_without_a_run_it_says_so_and_shows_what_a_run_would_do(app):
    test = draw("discover", app)
    assert "No run yet." in html(test)
    assert "Start run" in labels(test)
    assert app.discovery.runs() == []


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
