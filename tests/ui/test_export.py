"""Export: one click sends what is ticked; what arrived, what is held and what must be removed is told."""

import pytest

from core.adapters.target_fake import FakeTarget
from core.model.export_reports import Change
from core.model.reviews import DecisionKind
from tests.ui.pages import button, checked, draw, html, labels, workspace


@pytest.fixture
def held():
    with workspace() as (app, world):
        yield app, world


def test_nothing_approved_is_said(held):
    test = draw("export", held[0])
    assert "Nothing is approved yet." in html(test)
    assert not [label for label in labels(test) if label.startswith("Send")]


def test_one_click_sends_and_each_outcome_is_shown(held):
    app, world = held
    world.approved("film-1", "We abandon ship", "abandon")
    world.approved("film-2", "To the rescue", "rescue")
    test = draw("export", app)
    checked(button(test, "Send 2 clips").click().run())
    batch = app.exports.batch(app.exports.history("practice")[0].batch_id)
    assert (batch.summary.sent, batch.summary.n_verified) == (2, 2)
    shown = html(test)
    assert "2 arrived" in shown
    assert "Bytes and words match" in shown
    assert "Everything approved is at the backend." in shown
    assert app.exports.preview("practice").counts[Change.UNCHANGED] == 2


def test_an_open_batch_that_goes_on_says_what_it_holds(held):
    app, world = held
    world.approved("film-1", "We abandon ship", "abandon")
    app.engine.is_held = True
    app.exports.create_batch("practice", None, "mina")
    app.engine.is_held = False
    test = draw("export", app)
    checked(button(test, "Go on with the open batch").click().run())
    assert app.exports.history("practice")[0].sent == 1
    assert "was not finished, so this goes on with it as it was frozen" in html(test)


def test_the_clip_that_arrived_plays_from_the_backend(held):
    app, world = held
    world.approved("film-1", "We abandon ship", "abandon")
    app.exports.create_batch("practice", None, "mina")
    video_id = app.exports.batch(app.exports.history("practice")[0].batch_id).items[0].video_id
    assert f'src="/backend/v3/videos/{video_id}"' in html(draw("export", app, play=str(video_id)))


def test_a_count_shows_its_clips_alone(held):
    app, world = held
    world.approved("film-1", "We abandon ship", "abandon")
    app.exports.create_batch("practice", None, "mina")
    world.approved("film-2", "To the rescue", "rescue")
    shown = html(draw("export", app, show="unchanged"))
    assert "abandon" in shown.split("Clips that are not sent")[1].split("Clips of batch")[0]


def test_strong_language_waits_for_its_tick(held):
    app, world = held
    world.approved("film-1", "Do not abandon this fucking ship", "abandon")
    test = draw("export", app)
    assert "Send 1 clip" not in labels(test)
    assert "Send clips with strong language too" in [box.label for box in test.checkbox]
    test.checkbox(key="allow_strong_language").check().run()
    checked(button(test, "Send 1 clip").click().run())
    assert app.exports.history("practice")[0].sent == 1


def test_what_was_taken_back_after_export_shows_with_its_sql(held):
    app, world = held
    _, mapping_id = world.approved("film-1", "We abandon ship", "abandon")
    app.exports.create_batch("practice", None, "mina")
    world.decide(mapping_id, DecisionKind.UNDO)
    test = draw("export", app)
    assert "Pending retraction" in html(test)
    assert "DELETE FROM word_to_video" in "".join(code.value for code in test.code)
    test.multiselect(key="retracted").select(mapping_id).run()
    checked(button(test, "Mark as done").click().run())
    assert app.exports.pending_retractions("practice") == []


class Production(FakeTarget):
    """The fake under a host's name."""

    name = "lessons.example.org"
    url = "https://lessons.example.org"
    is_production = True


def test_a_new_host_needs_the_confirmation_once(held, monkeypatch):
    app, world = held
    target = Production()
    monkeypatch.setattr(app, "targets", lambda backend_url="": [target])
    world.approved("film-1", "We abandon ship", "abandon")
    test = draw("export", app)
    assert "First export to lessons.example.org" in html(test)
    assert "Not production" not in html(test)
    assert button(test, "Send 1 clip").disabled
    test.checkbox(key="confirm_lessons.example.org").check().run()
    checked(button(test, "Send 1 clip").click().run())
    assert app.exports.history(target.url)[0].sent == 1
    world.approved("film-2", "To the rescue", "rescue")
    assert not button(draw("export", app), "Send 1 clip").disabled


def test_demo_clips_do_not_go_to_production(held, monkeypatch):
    app, world = held
    monkeypatch.setattr(app, "targets", lambda backend_url="": [Production()])
    world.approved("film-1", "We abandon ship", "abandon", is_demo=True)
    assert not [label for label in labels(draw("export", app)) if label.startswith("Send")]
