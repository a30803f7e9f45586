"""The queue, decisions, undo, and the desk, on the real store."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from core.errors import Conflict, InvalidInput, NotFound, Refused
from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind, DecisionOutcome, DecisionRequest, MappingState, RejectReason
from core.services.review import QueueFilter, ago
from core.store.reviews import history_of, load_mapping, project
from core.store.tables import clips, corrections, decisions, live_mappings, mappings
from core.timing import now
from tests.conftest import REPO_PATH
from tests.loopback.decided_world import Shelf
from tests.loopback.invariants import check_integrity, check_projection, check_references

APPROVE, REJECT, SKIP, FLAG = DecisionKind.APPROVE, DecisionKind.REJECT, DecisionKind.SKIP, DecisionKind.FLAG


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "home")
    yield made
    check_projection(made.database)
    check_references(made.database)
    check_integrity(made.database)
    made.close()


def order(shelf: Shelf, **wanted: object) -> list[str]:
    return [item.row.slug for item in shelf.review.queue(QueueFilter(**wanted)).items]  # type: ignore[arg-type]


def state_of(shelf: Shelf, mapping_id: int) -> tuple[str, int]:
    with shelf.database.read() as connection:
        row = load_mapping(connection, mapping_id)
    return str(row.state), row.version


# The queue -----------------------------------------------------------------------------------------------------------


def test_words_with_the_fewest_approved_clips_come_first_and_their_best_clip_first(shelf: Shelf) -> None:
    shelf.approve(shelf.shown("refer-approved", "refer", 0.9))
    for slug, word, relevance in [("refer-low", "refer", 0.7), ("refer-high", "refer", 0.95), ("matter-low", "matter", 0.61)]:
        shelf.shown(slug, word, relevance)
    shelf.shown("matter-high", "matter", 0.7)
    assert order(shelf) == ["matter-high", "matter-low", "refer-high", "refer-low"]
    assert order(shelf, order="best_first") == ["refer-high", "refer-low", "matter-high", "matter-low"]
    assert order(shelf, order="newest") == ["matter-high", "matter-low", "refer-high", "refer-low"]
    with pytest.raises(InvalidInput, match="No order"):
        order(shelf, order="random")


def test_full_words_are_parked_and_counted_and_come_back_when_an_approval_is_undone(shelf: Shelf) -> None:
    shelf.settings.set("want", 2, actor="mina")
    first = [shelf.shown(f"refer-{place}", "refer") for place in range(4)]
    shelf.approve(first[0])
    shelf.approve(first[1])
    queue = shelf.review.queue()
    assert (queue.items, queue.total, queue.n_parked) == ((), 0, 2)
    everything = shelf.review.queue(QueueFilter(with_all=True))
    assert sorted(str(item.state) for item in everything.items) == ["approved", "approved", "parked", "parked"]
    shelf.review.undo("mina")
    assert (shelf.review.queue().total, shelf.review.queue().n_parked) == (3, 0)


def test_skipped_ones_come_last_whatever_their_score(shelf: Shelf) -> None:
    best = shelf.shown("best", "refer", 0.99)
    shelf.shown("worst", "matter", 0.61)
    shelf.decide(best, SKIP)
    assert order(shelf) == ["worst", "best"]
    assert order(shelf, order="best_first") == ["worst", "best"]
    assert shelf.review.queue().n_skipped == 1


def test_a_flagged_one_stays_for_a_second_opinion(shelf: Shelf) -> None:
    flagged = shelf.shown("one", "refer")
    shelf.decide(flagged, FLAG, note="which sense?")
    assert [(item.row.slug, str(item.state), item.row.note) for item in shelf.review.queue().items] == [("one", "flagged", "which sense?")]
    shelf.approve(flagged, actor="tom")
    assert state_of(shelf, flagged)[0] == "approved"


def test_each_run_has_its_own_rule_and_a_reader_can_put_another_in_its_place(shelf: Shelf) -> None:
    lax, strict = shelf.run("refer", min_score=0.5), shelf.run("refer", min_score=0.9)
    shelf.shown("lax-low", "refer", 0.55, run_id=lax)
    shelf.shown("strict-low", "refer", 0.85, run_id=strict)
    shelf.shown("strict-edge", "refer", 0.9, run_id=strict)
    assert order(shelf) == ["strict-edge", "lax-low"]
    assert order(shelf, min_score=0.85) == ["strict-edge", "strict-low"]
    assert order(shelf, min_score=0.0) == ["strict-edge", "strict-low", "lax-low"]


def test_the_strict_rule_asks_education_and_context_for_nine_tenths(shelf: Shelf) -> None:
    shelf.shown("just", "refer", 0.7, both=0.9)
    shelf.shown("under", "refer", 0.95, both=0.89)
    assert order(shelf, is_strict=True) == ["just"]
    assert shelf.review.queue(QueueFilter(is_strict=True)).total == 1


def test_all_shows_what_the_strict_rule_of_the_workspace_hides(shelf: Shelf) -> None:
    shelf.settings.set("is_strict", True, actor="mina")
    shelf.shown("under", "refer", 0.95, both=0.89)
    shelf.shown("silent", "matter", None, evidence=EvidenceState.NOT_HEARD)
    assert order(shelf) == []
    assert sorted(order(shelf, with_all=True)) == ["silent", "under"]
    assert order(shelf, with_all=True, is_strict=True) == []


def test_what_is_not_heard_is_only_shown_with_all(shelf: Shelf) -> None:
    shelf.shown("silent", "refer", None, evidence=EvidenceState.NOT_HEARD)
    shelf.shown("captioned", "refer", 0.7, evidence=EvidenceState.CAPTIONED)
    assert order(shelf) == ["captioned"]
    assert order(shelf, min_score=0.0) == ["captioned"]
    assert sorted(order(shelf, with_all=True)) == ["captioned", "silent"]


def test_a_bundle_and_the_demo_are_filters(shelf: Shelf) -> None:
    shelf.vocabulary.add_words(["refer"], bundle="mine")
    shelf.shown("mine", "refer")
    shelf.shown("other", "matter")
    shelf.shown("shown", "refer", is_demo=True)
    assert order(shelf, bundle="mine") == ["mine"]
    assert order(shelf, is_demo=True) == ["shown"]
    assert sorted(order(shelf, is_demo=False)) == ["mine", "other"]


def test_the_answer_of_the_queue_has_the_promised_keys(shelf: Shelf) -> None:
    shelf.shown("one", "refer")
    queue = shelf.review.queue(limit=5)
    assert set(queue.items[0].as_json()) == {
        "mapping_id", "clip_id", "slug", "word", "relevance", "education", "context", "evidence", "state", "version",
    }  # fmt: skip
    shelf.shown("two", "refer")
    assert (len(shelf.review.queue(limit=1).items), shelf.review.queue(limit=1).total) == (1, 2)
    assert shelf.review.n_waiting() == 2


# Decisions -----------------------------------------------------------------------------------------------------------


def test_a_decision_records_what_was_seen(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.decide(mapping_id, APPROVE, score=0.9, note="good", is_score_visible=False, watched_s=3.5, n_target_plays=2, visit_id="v1")
    with shelf.database.read() as connection:
        row = connection.execute(select(decisions)).one()
        stored = load_mapping(connection, mapping_id)
    assert (row.actor, row.kind, row.score, row.note, row.visit_id) == ("mina", "approve", 0.9, "good", "v1")
    assert (row.is_score_visible, row.watched_s, row.n_target_plays) == (False, 3.5, 2)
    assert (row.proposal_id, row.transcript_id) == (stored.proposal_id, stored.transcript_id)
    assert (row.seen_version, row.version, stored.version, stored.score) == (0, 1, 1, 0.9)
    assert row.decided_at.tzinfo is not None


def test_a_repeated_key_is_the_same_decision(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    first = shelf.approve(mapping_id, key="k", seen_version=0)
    assert shelf.approve(mapping_id, key="k", seen_version=0) == first
    with shelf.database.read() as connection:
        assert len(history_of(connection, mapping_id)) == 1


def test_a_stale_version_is_a_conflict_and_both_are_in_the_history(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.approve(mapping_id, actor="tom", seen_version=0)
    with pytest.raises(Conflict, match=r"tom approved this \d+ s ago. Both are in the history"):
        shelf.decide(mapping_id, REJECT, key="late", seen_version=0, reasons=("duplicate",))
    assert state_of(shelf, mapping_id) == ("approved", 1)
    with shelf.database.read() as connection:
        assert [(event.actor, str(event.kind), event.is_conflict) for event in history_of(connection, mapping_id)] == [
            ("tom", "approve", False),
            ("mina", "reject", True),
        ]
    assert shelf.refills == []
    with pytest.raises(Conflict):  # the same key again is not a success
        shelf.decide(mapping_id, REJECT, key="late", seen_version=0)
    with shelf.database.read() as connection:
        assert len(history_of(connection, mapping_id)) == 2
    assert shelf.decide(mapping_id, REJECT, seen_version=1).state is MappingState.REJECTED


def test_a_rejection_repeated_after_a_kill_still_asks_for_another_clip(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.decide(mapping_id, REJECT, key="k")
    shelf.decide(mapping_id, REJECT, key="k")
    assert shelf.refills == [shelf.word("refer")] * 2  # each asks; the job itself is made once


def test_approving_what_nobody_hears_needs_a_note(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer", None, evidence=EvidenceState.NOT_HEARD)
    for note in ("", "  "):
        with pytest.raises(Refused, match="not heard"):
            shelf.approve(mapping_id, note=note)
    assert state_of(shelf, mapping_id) == ("in_review", 0)
    shelf.approve(mapping_id, note="He mouths it.")
    shelf.decide(shelf.shown("two", "refer", None, evidence=EvidenceState.NOT_HEARD), REJECT)


@pytest.mark.parametrize(("evidence", "expected"), [(EvidenceState.HEARD, False), (EvidenceState.CAPTIONED, True)])
def test_the_approval_of_a_captioned_word_is_that_persons_word_for_it(shelf: Shelf, evidence: EvidenceState, expected: bool) -> None:
    mapping_id = shelf.shown("one", "refer", evidence=evidence)
    shelf.approve(mapping_id)
    with shelf.database.read() as connection:
        row = load_mapping(connection, mapping_id)
    assert (row.is_vouched, row.actor) == (expected, "mina")
    shelf.review.undo("mina")
    with shelf.database.read() as connection:
        assert load_mapping(connection, mapping_id).is_vouched is False


@pytest.mark.parametrize(
    "bad",
    [{"reasons": ("ugly",)}, {"score": 1.5}, {"score": -0.1}, {"score": float("nan")}, {"note": "a\0b"}, {"note": "x" * 4001}],
)
def test_what_cannot_be_recorded_is_refused(shelf: Shelf, bad: dict[str, object]) -> None:
    mapping_id = shelf.shown("one", "refer")
    with pytest.raises(InvalidInput):
        shelf.decide(mapping_id, REJECT, **bad)
    assert state_of(shelf, mapping_id) == ("in_review", 0)


def test_odd_text_in_a_note_comes_back_as_it_was(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    note = "=1+1 <script>alert(1)</script> \u202e naïve 😀\t\r\n'; DROP TABLE mappings; --"
    shelf.decide(mapping_id, FLAG, note=note)
    with shelf.database.read() as connection:
        assert load_mapping(connection, mapping_id).note == note


def test_unknown_things_are_named(shelf: Shelf) -> None:
    with pytest.raises(NotFound, match="no mapping 77"):
        shelf.approve(77)
    with pytest.raises(NotFound, match="nothing to undo"):
        shelf.review.undo("mina")
    with pytest.raises(NotFound, match="nothing to redo"):
        shelf.review.redo("mina")
    with pytest.raises(InvalidInput):
        shelf.decide(shelf.shown("one", "refer"), DecisionKind.UNDO)


def test_every_reason_of_the_desk_is_known(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.decide(mapping_id, REJECT, reasons=tuple(RejectReason))
    with shelf.database.read() as connection:
        assert load_mapping(connection, mapping_id).reasons == tuple(RejectReason)


def test_two_curators_at_the_same_moment_one_wins_and_the_other_is_told(shelf: Shelf) -> None:
    mapping_ids = [shelf.shown(f"clip-{place}", "refer") for place in range(6)]
    found: list[object] = []
    ready = threading.Barrier(2)

    def decide(actor: str) -> None:
        for mapping_id in mapping_ids:
            ready.wait()
            try:
                request = DecisionRequest(mapping_id, APPROVE, actor, f"{actor} {mapping_id}", seen_version=0)
                found.append(shelf.review.decide(request))
            except Conflict as error:
                found.append(error)

    people = [threading.Thread(target=decide, args=(actor,)) for actor in ("mina", "tom")]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert len([one for one in found if isinstance(one, Conflict)]) == len(mapping_ids)
    with shelf.database.read() as connection:
        assert all(len(history_of(connection, mapping_id)) == 2 for mapping_id in mapping_ids)
    assert {state_of(shelf, mapping_id) for mapping_id in mapping_ids} == {("approved", 1)}


# Undo and redo -------------------------------------------------------------------------------------------------------


def test_an_undo_takes_one_keystroke_back_with_all_its_decisions(shelf: Shelf) -> None:
    both = [shelf.shown("one", "refer"), shelf.shown("two", "matter")]
    alone = shelf.shown("three", "committee")
    shelf.approve(alone, visit_id="v1")
    for mapping_id in both:
        shelf.approve(mapping_id, visit_id="v2")
    undone = shelf.review.undo("mina", idempotency_key="u1")
    assert sorted(outcome.mapping_id for outcome in undone) == sorted(both)
    assert [state_of(shelf, mapping_id) for mapping_id in (*both, alone)] == [("in_review", 2), ("in_review", 2), ("approved", 1)]
    assert shelf.review.undo("mina", idempotency_key="u1") == undone
    assert state_of(shelf, alone) == ("approved", 1)
    assert sorted(outcome.mapping_id for outcome in shelf.review.redo("mina")) == sorted(both)
    assert {state_of(shelf, mapping_id) for mapping_id in both} == {("approved", 3)}


def test_undos_go_back_step_by_step_and_redos_forth_in_the_other_order(shelf: Shelf) -> None:
    made = [shelf.shown(f"clip-{place}", "refer") for place in range(3)]
    for place, mapping_id in enumerate(made):
        shelf.decide(mapping_id, REJECT, visit_id=f"v{place}")
    assert [shelf.review.undo("mina")[0].mapping_id for _ in made] == made[::-1]
    with pytest.raises(NotFound):
        shelf.review.undo("mina")
    assert [shelf.review.redo("mina")[0].mapping_id for _ in made] == made
    with pytest.raises(NotFound):
        shelf.review.redo("mina")
    assert {state_of(shelf, mapping_id)[0] for mapping_id in made} == {"rejected"}


def test_a_new_decision_ends_what_could_be_redone(shelf: Shelf) -> None:
    first, second = shelf.shown("one", "refer"), shelf.shown("two", "refer")
    shelf.approve(first)
    shelf.review.undo("mina")
    shelf.decide(second, SKIP)
    with pytest.raises(NotFound, match="nothing to redo"):
        shelf.review.redo("mina")
    assert shelf.review.undo("mina")[0].mapping_id == second


def test_an_undo_by_its_visit_goes_past_later_ones(shelf: Shelf) -> None:
    first, second = shelf.shown("one", "refer"), shelf.shown("two", "refer")
    shelf.approve(first, visit_id="v1")
    shelf.approve(second, visit_id="v2")
    assert [outcome.mapping_id for outcome in shelf.review.undo("mina", visit_id="v1")] == [first]
    assert state_of(shelf, second) == ("approved", 1)


def test_an_undo_only_takes_back_ones_own(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.approve(mapping_id, actor="tom")
    with pytest.raises(NotFound):
        shelf.review.undo("mina")


def test_an_undo_after_anothers_decision_is_a_conflict_and_changes_nothing(shelf: Shelf) -> None:
    shared, own = shelf.shown("one", "refer"), shelf.shown("two", "matter")
    for mapping_id in (own, shared):
        shelf.approve(mapping_id, visit_id="v1")
    shelf.decide(shared, REJECT, actor="tom")
    with pytest.raises(Conflict, match="tom decided"):
        shelf.review.undo("mina")
    assert (state_of(shelf, shared)[0], state_of(shelf, own)[0]) == ("rejected", "approved")


def test_an_undone_rejection_goes_back_to_the_state_before(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.decide(mapping_id, FLAG, note="hm", score=0.4)
    shelf.decide(mapping_id, REJECT, reasons=("other",), actor="mina")
    shelf.review.undo("mina")
    with shelf.database.read() as connection:
        row = load_mapping(connection, mapping_id)
    assert (row.state, row.note, row.score, row.reasons, row.version) == (MappingState.FLAGGED, "hm", 0.4, (), 3)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["approve", "reject", "skip", "flag", "undo", "redo", "stale", "again"]),
        st.sampled_from(["mina", "tom"]),
        st.integers(0, 2),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=14,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_whatever_people_do_the_projection_is_the_replay(shelf: Shelf, acts: list[tuple[str, str, int, str]]) -> None:
    made = [shelf.shown(f"{shelf.n_keys}-{place}", "refer") for place in range(3)]
    last: DecisionRequest | None = None
    for act, actor, place, visit in acts:
        before = {mapping_id: state_of(shelf, mapping_id) for mapping_id in made}
        try:
            if act == "undo":
                shelf.review.undo(actor)
            elif act == "redo":
                shelf.review.redo(actor)
            elif act == "again" and last is not None:
                shelf.review.decide(last)
                assert {mapping_id: state_of(shelf, mapping_id) for mapping_id in made} == before
            elif act == "stale":
                shelf.decide(made[place], APPROVE, actor, seen_version=before[made[place]][1] + 1)
            elif act != "again":
                last = DecisionRequest(made[place], DecisionKind(act), actor, f"h{shelf._key()}", visit_id=visit and f"{visit}{actor}")
                outcome = shelf.review.decide(last)
                assert outcome.version == before[made[place]][1] + 1
        except (Conflict, NotFound):
            assert {mapping_id: state_of(shelf, mapping_id) for mapping_id in made} == before
        after = {mapping_id: state_of(shelf, mapping_id) for mapping_id in made}
        assert all(after[mapping_id][1] >= before[mapping_id][1] for mapping_id in made)
    check_projection(shelf.database)
    with shelf.database.write() as connection:
        rows = connection.execute(select(mappings).order_by(mappings.c.mapping_id)).all()
        for mapping_id in made:
            project(connection, mapping_id)
        again = connection.execute(select(mappings).order_by(mappings.c.mapping_id)).all()
    kept = ("state", "version", "score", "note", "actor", "is_vouched")
    assert [[getattr(row, name) for name in kept] for row in rows] == [[getattr(row, name) for name in kept] for row in again]


def test_the_days_figures_and_the_pace(shelf: Shelf) -> None:
    made = [shelf.shown(f"clip-{place}", "refer") for place in range(3)]
    shelf.approve(made[0])
    shelf.decide(made[1], REJECT)
    shelf.decide(made[2], SKIP)
    shelf.approve(made[2], actor="tom")
    assert shelf.review.today("mina") == {"decided": 2, "approved": 1, "rejected": 1}
    assert shelf.review.pace("mina") == 2
    assert shelf.review.has_decided()
    assert re.fullmatch(r"\d s ago", ago(now()))


def test_the_days_figures_leave_out_what_was_taken_back(shelf: Shelf) -> None:
    made = [shelf.shown(f"clip-{place}", "refer") for place in range(2)]
    shelf.approve(made[0])
    shelf.decide(made[1], REJECT)
    shelf.review.undo("mina")
    assert shelf.review.today("mina") == {"decided": 1, "approved": 1, "rejected": 0}
    shelf.review.redo("mina")
    assert shelf.review.today("mina") == {"decided": 2, "approved": 1, "rejected": 1}
    shelf.review.undo("mina")
    shelf.approve(made[1])
    assert shelf.review.today("mina") == {"decided": 2, "approved": 2, "rejected": 0}


# What goes away after an export --------------------------------------------------------------------------------------


def test_an_approval_undone_after_export_is_pending_retraction(shelf: Shelf) -> None:
    mapping_id = shelf.shown("one", "refer")
    shelf.approve(mapping_id)
    shelf.go_live(mapping_id)
    shelf.review.undo("mina")
    states = [str(item.state) for item in shelf.review.queue(QueueFilter(with_all=True)).items]
    assert states == ["pending_retraction"]
    shelf.approve(mapping_id)
    assert [str(item.state) for item in shelf.review.queue(QueueFilter(with_all=True)).items] == ["approved"]


# The desk ------------------------------------------------------------------------------------------------------------


def contract(name: str) -> set[str]:
    """The fields of a type in the desk's contract."""
    source = (REPO_PATH / "ui/components/desk/contract.js").read_text(encoding="utf-8")
    block = re.search(rf"@typedef {{Object}} {name}\b(.*?)(?=@typedef|\*/)", source, re.S)
    assert block, name
    return set(re.findall(r"@property \{.*?\}\s+(\w+)(?=\s|$)", block[1], re.M))


def test_a_visit_has_the_fields_of_the_contract(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer the shit matter to him.")
    shelf.mapping(clip_id, "refer")
    shelf.mapping(clip_id, "matter", 0.9)
    visit = shelf.desk.visit(clip_id)
    assert set(visit) == contract("Visit")
    assert set(visit["words"][0]) == contract("Word")
    assert [target["word"] for target in visit["targets"]] == ["matter", "refer"]
    target = visit["targets"][1]
    assert set(target) == contract("Target")
    assert set(target["proposal"]) == contract("Proposal")
    assert set(target["evidence"]["occurrences"][0]) == contract("Occurrence")
    assert target["evidence"]["occurrences"][0]["word_index"] == 1
    assert visit["strong_language"] == ["shit"]
    assert visit["recognition"] == "They refer the shit matter to him."
    heads = shelf.desk.heads("mina", QueueFilter())
    assert set(heads["visits"][0]) == contract("VisitHead")
    assert set(heads) <= contract("Desk")
    assert (heads["total"], heads["visits"][0]["word"]) == (1, "matter")


def test_one_visit_a_clip_and_the_first_word_is_in_focus(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer the matter to him.")
    for word, relevance in (("refer", 0.7), ("matter", 0.9)):
        shelf.mapping(clip_id, word, relevance)
    shelf.shown("two", "committee", 0.8)
    heads = shelf.desk.heads("mina", QueueFilter())
    assert [(head["slug"], head["word"]) for head in heads["visits"]] == [("one", "matter"), ("two", "committee")]
    assert heads["total"] == 2
    assert len(shelf.desk.heads("mina", QueueFilter(), limit=1)["visits"]) == 1


def test_clips_that_say_the_same_are_counted_on_each(shelf: Shelf) -> None:
    for slug, line in (("one", "They refer it."), ("two", "They refer it."), ("three", "I refer to it.")):
        shelf.mapping(shelf.clip(slug, line), "refer")
    heads = shelf.desk.heads("mina", QueueFilter())
    assert {head["slug"]: head["n_alike"] for head in heads["visits"]} == {"one": 2, "two": 2, "three": 1}


def test_a_visit_of_a_clip_that_is_not_fetched_is_not_found(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        shelf.desk.visit(99)


# Corrections ---------------------------------------------------------------------------------------------------------


def visit_and_correct(shelf: Shelf, clip_id: int, text: str, key: str = "") -> dict:
    seen = shelf.desk.visit(clip_id)["transcript_id"]
    return shelf.desk.correct(clip_id, text, actor="mina", transcript_id=seen, idempotency_key=key)


def test_a_correction_keeps_the_recognition_and_times_its_words(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They prefer the madder to him.")
    shelf.mapping(clip_id, "matter")
    before = shelf.desk.visit(clip_id)
    after = visit_and_correct(shelf, clip_id, "  They refer  the matter over to him. ")
    visit = shelf.desk.visit(clip_id)
    assert [word["text"] for word in visit["words"]] == ["They", "refer", "the", "matter", "over", "to", "him."]
    assert visit["recognition"] == "They prefer the madder to him."
    assert (visit["is_corrected"], visit["transcript_id"]) == (True, after["transcript_id"])
    times = [(word["start_s"], word["end_s"]) for word in visit["words"]]
    assert all(start <= end for start, end in times)
    assert times == sorted(times)
    assert times[0] == (before["words"][0]["start_s"], before["words"][0]["end_s"])
    assert times[1] == (before["words"][1]["start_s"], before["words"][1]["end_s"])  # a replaced word lies where the old one lay
    assert times[-1] == (before["words"][-1]["start_s"], before["words"][-1]["end_s"])
    second = visit_and_correct(shelf, clip_id, "They refer the matter to him.")
    assert second["transcript_id"] != after["transcript_id"]
    assert shelf.desk.visit(clip_id)["recognition"] == "They prefer the madder to him."


def test_a_correction_is_timed_within_the_file_whatever_length_its_source_stated(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer to him.")
    with shelf.database.write() as connection:
        connection.execute(update(clips).where(clips.c.clip_id == clip_id).values(end_s=60.0))
    visit_and_correct(shelf, clip_id, "They refer to him. And to nobody else.")
    visit = shelf.desk.visit(clip_id)
    assert max(word["end_s"] for word in visit["words"]) <= visit["duration_s"]


def test_a_correction_sent_twice_is_one(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They prefer it.")
    seen = shelf.desk.visit(clip_id)["transcript_id"]
    first = shelf.desk.correct(clip_id, "They refer to it.", actor="mina", transcript_id=seen, idempotency_key="k")
    assert shelf.desk.correct(clip_id, "They refer to it.", actor="mina", transcript_id=seen, idempotency_key="k") == first
    with shelf.database.read() as connection:
        assert len(connection.execute(select(corrections)).all()) == 1


def test_a_correction_of_a_text_that_was_corrected_since_is_a_conflict(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They prefer it.")
    seen = shelf.desk.visit(clip_id)["transcript_id"]
    shelf.desk.correct(clip_id, "They refer to it.", actor="tom", transcript_id=seen)
    with pytest.raises(Conflict):
        shelf.desk.correct(clip_id, "They infer it.", actor="mina", transcript_id=seen)
    assert [word["text"] for word in shelf.desk.visit(clip_id)["words"]] == ["They", "refer", "to", "it."]


@pytest.mark.parametrize("text", ["", "  \n ", "x" * 2001, "a\0b"])
def test_a_text_that_cannot_be_spoken_is_refused(shelf: Shelf, text: str) -> None:
    clip_id = shelf.clip("one", "They prefer it.")
    with pytest.raises(InvalidInput):
        visit_and_correct(shelf, clip_id, text)


def test_a_corrected_clip_points_at_the_word_itself_and_never_at_a_longer_one(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer it here.")
    shelf.mapping(clip_id, "refer")
    visit_and_correct(shelf, clip_id, "They prefer it, and refer.")
    occurrences = shelf.desk.visit(clip_id)["targets"][0]["evidence"]["occurrences"]
    assert [one["word_index"] for one in occurrences] == [4]
    visit_and_correct(shelf, clip_id, "They prefer it here.")
    evidence = shelf.desk.visit(clip_id)["targets"][0]["evidence"]
    assert (evidence["state"], evidence["occurrences"]) == ("not_heard", [])


def test_a_word_that_a_correction_took_out_cannot_be_approved_as_heard(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer it here.")
    mapping_id = shelf.mapping(clip_id, "refer")
    visit_and_correct(shelf, clip_id, "They prefer it here.")
    request = DecisionRequest(mapping_id, DecisionKind.APPROVE, "mina", "k1")
    with pytest.raises(Refused, match="corrected text"):
        shelf.review.decide(request)
    visit_and_correct(shelf, clip_id, "They referred it here.")
    assert shelf.review.decide(request).state == "approved"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from(["They", "refer", "the", "matter", "—", "to", "him.", "Zoë's", "…"]), min_size=1, max_size=12))
def test_every_correction_has_a_word_for_a_word_in_order_of_time(shelf: Shelf, text: list[str]) -> None:
    clip_id = shelf.clip(f"clip-{shelf._key()}", "They prefer the madder to him.")
    words = visit_and_correct(shelf, clip_id, " ".join(text))["words"]
    assert [word["text"] for word in words] == text
    starts = [word["start_s"] for word in words]
    assert starts == sorted(starts)
    assert all(word["start_s"] <= word["end_s"] for word in words)


def test_an_outcome_is_what_the_command_answers() -> None:
    from ui.cli.review import outcome_json

    assert outcome_json(DecisionOutcome(1, MappingState.APPROVED, 2, 3)) == {
        "mapping_id": 1,
        "state": "approved",
        "version": 2,
        "event_id": 3,
    }


def test_an_approval_taken_back_while_it_is_live_waits_for_a_person_again(shelf: Shelf) -> None:
    clip_id = shelf.clip("one", "They refer it here.")
    mapping_id = shelf.mapping(clip_id, "refer")
    shelf.review.decide(DecisionRequest(mapping_id, APPROVE, "mina", "k1"))
    with shelf.database.write() as connection:
        word_id = connection.execute(select(mappings.c.word_id).where(mappings.c.mapping_id == mapping_id)).scalar_one()
        connection.execute(
            live_mappings.insert().values(
                target="practice", name="n", word_id=word_id, mapping_id=mapping_id, clip_id=clip_id, video_id=1, relevance=0.8,
                digest="d", batch_id="b", sent_at=now(),
            )
        )  # fmt: skip
    shelf.review.undo("mina")
    assert [(item.row.mapping_id, item.state) for item in shelf.review.queue().items] == [(mapping_id, MappingState.PENDING_RETRACTION)]
    assert shelf.desk.visit(clip_id)["targets"][0]["undecided"] is True
    shelf.review.decide(DecisionRequest(mapping_id, REJECT, "mina", "k2"))
    assert shelf.review.queue().items == ()
    assert shelf.desk.visit(clip_id)["targets"][0]["undecided"] is False
