"""Coverage and the page of a word: the figures are the rows', and every text is text."""

import pytest

from core.model.reviews import DecisionKind
from core.services.coverage_report import read_bundle_report
from core.services.word_report import read_word_report
from tests.ui.pages import EVIL, LIST, button, checked, draw, html, ways, workspace
from ui.parts.coverage_map import n_columns_for


@pytest.fixture
def held():
    with workspace() as (app, world):
        app.vocabulary.import_list(LIST, exam="toefl", file_name="toefl.csv")
        yield app, world


def test_without_a_bundle_it_says_what_to_do():
    with workspace() as (app, _):
        test = draw("coverage", app)
        assert "No bundle yet." in html(test)
        assert ways(test) == {"Choose words": "/discover?run=new"}


def test_a_decision_moves_the_figures_the_way_and_the_map(held):
    app, world = held
    before = html(draw("coverage", app, bundle="toefl_beginner"))
    assert 'class="q-none"' in before
    world.approved("film-1", "Do not abandon ship", "abandon")
    after = html(draw("coverage", app, bundle="toefl_beginner"))
    assert "50 %" in after
    assert 'class="q-approved"' in after
    assert after.count('class="q-none"') == before.count('class="q-none"') - 1


def test_a_rejected_word_is_a_gap_with_its_reason(held):
    app, world = held
    clip = world.clip("film-1", "To the rescue")
    world.decide(world.mapping(clip, "rescue"), DecisionKind.REJECT)
    shown = html(draw("coverage", app, bundle="toefl_beginner"))
    assert "1 rejected, none left" in shown
    assert "Never searched" in shown


def test_the_report_of_a_bundle_counts_steps_that_hold_each_other(held):
    app, world = held
    world.approved("film-1", "Do not abandon ship", "abandon", 0.9)
    world.mapping(world.clip("film-2", "A long delay"), "delay", 0.3)
    report = read_bundle_report(app.database, "toefl_advanced")
    assert (report.n_words, len(report.proposed_ids), report.scores) == (3, 2, (0.9, 0.3))
    assert report.n_sent <= len(report.proposed_ids)


def test_pasted_words_are_shown_with_what_they_have(held):
    app, world = held
    world.approved("film-1", "Do not abandon ship", "abandon")
    test = draw("coverage", app)
    test.text_area(key="look_up").set_value(f"abandon\ndelay\n{EVIL}").run()
    shown = html(checked(test))
    assert "1 of 3 words have an approved clip." in shown
    assert "On no list of this workspace" in shown
    assert "<script>" not in shown


def test_plan_a_run_is_off_when_every_word_has_what_it_wants(held):
    app, world = held
    for place in range(3):
        for word in ("abandon", "rescue"):
            world.approved(f"film-{place}-{word}", f"The {word} of {place}", word)
    assert button(draw("coverage", app, bundle="toefl_beginner"), "Plan a run").disabled


def test_a_word_shows_its_clips_in_the_order_of_learners_and_its_history(held):
    app, world = held
    world.approved("low", "They abandon it", "abandon", 0.7)
    world.approved("high", "We abandon ship", "abandon", 0.95)
    clip = world.clip("gone", "I abandon hope")
    world.decide(world.mapping(clip, "abandon"), DecisionKind.REJECT)
    report = read_word_report(app.database, "ABANDON", 3)
    assert [item.slug for item in report.in_use] == ["high", "low"]
    assert [item.slug for item in report.not_in_use] == ["gone"]
    assert [event.kind for event in report.history].count("approve") == 2
    shown = html(draw("coverage", app, word="abandon"))
    assert "2 of 3 approved" in shown
    assert shown.index("We ") < shown.index("They ")
    assert "<b>abandon</b>" in shown


def test_a_clip_that_waits_can_be_reviewed_from_its_word(held):
    app, world = held
    world.mapping(world.clip("film-1", "We abandon ship"), "abandon")
    found = ways(draw("coverage", app, word="abandon"))
    assert found == {"Find more": "/discover?run=new&typed=abandon", "Review 1 clip": "/review?word=abandon"}


def test_a_line_that_is_markup_is_shown_as_text(held):
    app, world = held
    world.mapping(world.clip("film-1", f"We abandon {EVIL}"), "abandon")
    shown = html(draw("coverage", app, word="abandon"))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_word_on_no_list_is_an_error_with_a_way_out(held):
    assert "is on no list" in html(draw("coverage", held[0], word="nowhere"))


def test_an_export_shows_in_the_history_of_its_words(held):
    app, world = held
    world.approved("film-1", "We abandon ship", "abandon")
    app.exports.create_batch("practice", None, "mina")
    assert "Exported with batch 1 to practice" in [event.what for event in read_word_report(app.database, "abandon", 3).history]


@pytest.mark.parametrize("n_words", [1, 30, 292, 2634, 6000])
def test_the_map_is_wider_than_high(n_words):
    columns = n_columns_for(n_words)
    assert columns >= -(-n_words // columns)


def test_pasted_words_find_the_demos_where_there_is_no_other(held):
    app, world = held
    world.approved("demo-film", "All hands on deck", "deck", is_demo=True)
    (_, found), (_, real) = app.coverage.look_up(["deck", "abandon"])
    assert found is not None
    assert (found.is_demo, found.n_approved) == (True, 1)
    assert real is not None
    assert not real.is_demo


def test_a_run_in_vain_stands_in_the_history_of_its_word(held):
    from core.model.runs import RunSettings, WordState
    from core.services.discovery import WordChoice
    from core.store.runs import set_run_word

    app, _ = held
    run_id = app.discovery.launch(app.discovery.choose(WordChoice(bundle="toefl_beginner")), RunSettings(), actor="mina")
    word = app.discovery.words(run_id)[0]
    with app.database.write() as connection:
        set_run_word(connection, run_id, word.word_id, state=WordState.NONE_FOUND, reason="Nobody says it in what was searched")
    assert "Nobody says it in what was searched" in html(draw("coverage", app, word=word.word))
