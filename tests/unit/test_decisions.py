"""The fold from decisions to a mapping's standing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind, MappingState
from core.rules.decisions import STATE_AFTER, DecisionEvent, Standing, effective_events, is_vouched, replay

KINDS = st.sampled_from(sorted(STATE_AFTER))
SCORES = st.none() | st.floats(0, 1)
ACTS = st.lists(
    st.tuples(st.sampled_from(["decide", "decide", "undo", "redo", "conflict"]), KINDS, SCORES, st.sampled_from(["mina", "tom", "ada"])),
    max_size=25,
)


def history_of(acts: list[tuple[str, DecisionKind, float | None, str]]) -> list[DecisionEvent]:
    """A history as the store writes it: an undo names a standing decision, a redo one that was undone."""
    events: list[DecisionEvent] = []
    for act, kind, score, actor in acts:
        version = max((event.version for event in events if not event.is_conflict), default=0)
        new = DecisionEvent(len(events) + 1, kind, actor, version + 1, score=score, note=f"n{len(events)}")
        standing = effective_events(events)
        undone = [event for event in events if event.kind in STATE_AFTER and not event.is_conflict and event not in standing]
        if act == "decide":
            events.append(new)
        elif act == "conflict":
            events.append(replace(new, version=version, is_conflict=True))
        elif act == "undo" and standing:
            events.append(replace(new, kind=DecisionKind.UNDO, undoes_event_id=standing[-1].event_id, score=None))
        elif act == "redo" and undone:
            events.append(replace(new, kind=DecisionKind.REDO, undoes_event_id=undone[-1].event_id, score=None))
    return events


def test_no_history_is_in_review() -> None:
    assert replay([]) == Standing(MappingState.IN_REVIEW, 0)


def test_each_kind_leads_to_its_state() -> None:
    for kind, state in STATE_AFTER.items():
        assert replay([DecisionEvent(1, kind, "mina", 1)]).state is state


@given(ACTS, KINDS, SCORES)
def test_an_undo_goes_back_to_before_and_a_redo_forth_again(acts: list, kind: DecisionKind, score: float | None) -> None:
    history = history_of(acts)
    before = replay(history)
    decided = [*history, DecisionEvent(100, kind, "mina", before.version + 1, score=score)]
    after = replay(decided)
    undone = [*decided, DecisionEvent(101, DecisionKind.UNDO, "mina", before.version + 2, undoes_event_id=100)]
    assert replace(replay(undone), version=0) == replace(before, version=0)
    redone = [*undone, DecisionEvent(102, DecisionKind.REDO, "mina", before.version + 3, undoes_event_id=100)]
    assert replace(replay(redone), version=0) == replace(after, version=0)


@given(ACTS)
def test_the_version_counts_what_had_effect(acts: list) -> None:
    history = history_of(acts)
    versions = [replay(history[:end]).version for end in range(len(history) + 1)]
    assert versions == sorted(versions)
    assert versions[-1] == len([event for event in history if not event.is_conflict])


@given(ACTS, KINDS, st.integers(0, 25))
def test_a_conflict_changes_nothing_wherever_it_stands(acts: list, kind: DecisionKind, place: int) -> None:
    history = history_of(acts)
    place = min(place, len(history))
    version = replay(history[:place]).version
    lost = DecisionEvent(200, kind, "tom", version, score=0.5, note="too late", is_conflict=True)
    assert replay([*history[:place], lost, *history[place:]]) == replay(history)


@given(ACTS)
def test_an_undo_in_conflict_undoes_nothing(acts: list) -> None:
    history = history_of(acts)
    standing = effective_events(history)
    if standing:
        lost = DecisionEvent(201, DecisionKind.UNDO, "tom", 0, undoes_event_id=standing[-1].event_id, is_conflict=True)
        assert replay([*history, lost]) == replay(history)


def test_an_approval_keeps_the_score_that_was_given_before_it() -> None:
    history = [
        DecisionEvent(1, DecisionKind.FLAG, "mina", 1, score=0.4),
        DecisionEvent(2, DecisionKind.APPROVE, "mina", 2),
    ]
    assert replay(history).score == 0.4
    assert replay([*history, DecisionEvent(3, DecisionKind.REJECT, "mina", 3)]).score is None


def test_a_zero_is_a_score() -> None:
    history = [DecisionEvent(1, DecisionKind.FLAG, "a", 1, score=0.4), DecisionEvent(2, DecisionKind.APPROVE, "a", 2, score=0.0)]
    assert replay(history).score == 0.0


def test_only_an_approval_of_what_was_not_heard_is_vouched_for() -> None:
    for state in MappingState:
        for evidence in EvidenceState:
            expected = state is MappingState.APPROVED and evidence is not EvidenceState.HEARD
            assert is_vouched(state, evidence) is expected
