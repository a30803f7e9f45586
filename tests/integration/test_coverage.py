"""Coverage beside a brute-force count of the same world."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import NotFound
from core.model.clips import EvidenceState
from core.model.reviews import DecisionKind
from core.services.coverage import REASONS, Coverage
from core.services.word_clips import clips_of_word
from tests.loopback.decided_world import Shelf

KEYS = {"bundle", "words", "approved", "live", "in_review", "not_searched", "none_found", "exhausted"}


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path / "home")
    yield made
    made.close()


def states(shelf: Shelf, bundle: str, target: str = "") -> dict[str, str]:
    return {word.word: word.state for word in shelf.coverage.words(bundle, target=target)}


def test_every_reason(shelf: Shelf) -> None:
    words = ["searched", "unheard", "weak", "rejected", "waiting", "flagged", "failed", "quota", "approved", "live", "never"]
    shelf.vocabulary.import_list("\n".join(["word", *words]).encode(), exam="toefl")
    done, strict = shelf.run("searched", "unheard", "weak", "rejected", "live"), shelf.run("waiting", "weak", min_score=0.9)
    shelf.run("failed", state="failed")
    shelf.run("quota", state="waiting_for_quota")
    shelf.shown("unheard", "unheard", None, evidence=EvidenceState.NOT_HEARD, run_id=done)
    shelf.shown("weak", "weak", 0.85, run_id=strict)
    shelf.decide(shelf.shown("rejected", "rejected", run_id=done), DecisionKind.REJECT)
    shelf.shown("waiting", "waiting", 0.9, run_id=strict)
    shelf.decide(shelf.shown("flagged", "flagged"), DecisionKind.FLAG)
    shelf.approve(shelf.shown("approved", "approved"))
    live = shelf.shown("live", "live")
    shelf.approve(live)
    shelf.go_live(live)
    assert states(shelf, "toefl") == {
        "searched": "none_found",
        "unheard": "none_found",
        "weak": "none_found",
        "rejected": "exhausted",
        "waiting": "in_review",
        "flagged": "in_review",
        "failed": "failed",
        "quota": "waiting_for_quota",
        "approved": "approved",
        "live": "live",
        "never": "not_searched",
    }
    found = shelf.coverage.bundles("toefl")[0].as_json()
    assert set(found) >= KEYS
    assert (found["words"], found["approved"], found["live"]) == (11, {"1": 2, "3": 0}, 1)
    whys = {word.word: word.why for word in shelf.coverage.words("toefl")}
    assert (whys["never"], whys["rejected"], whys["waiting"], whys["approved"]) == (
        "Never searched",
        "1 rejected, none left",
        "1 clip waits for a person",
        "",
    )


def test_a_decision_shows_at_once_and_an_undo_too(shelf: Shelf) -> None:
    shelf.vocabulary.import_list(b"refer,beginner\n", exam="toefl")
    mapping_id = shelf.shown("one", "refer")
    counts = lambda: shelf.coverage.bundles("toefl_beginner")[0]  # noqa: E731
    assert (counts().approved[1], counts().reasons["in_review"]) == (0, 1)
    shelf.approve(mapping_id)
    assert (counts().approved[1], counts().reasons["in_review"]) == (1, 0)
    shelf.review.undo("mina")
    assert (counts().approved[1], counts().reasons["in_review"]) == (0, 1)


def test_level_bundles_are_cumulative(shelf: Shelf) -> None:
    shelf.vocabulary.import_list(b"word,level\nrefer,beginner\nmatter,intermediate\nzebra,advanced\ncommittee,\n", exam="toefl")
    shelf.approve(shelf.shown("one", "refer"))
    found = {row.bundle: (row.words, row.approved[1]) for row in shelf.coverage.bundles()}
    assert found == {"toefl_beginner": (1, 1), "toefl_intermediate": (2, 1), "toefl_advanced": (4, 1)}


def test_live_is_counted_by_target_and_a_taken_retraction_is_not_live(shelf: Shelf) -> None:
    shelf.vocabulary.import_list(b"refer\nmatter\n", exam="toefl")
    here, gone = shelf.shown("one", "refer"), shelf.shown("two", "matter")
    for mapping_id in (here, gone):
        shelf.approve(mapping_id)
    shelf.go_live(here, target="backend.example")
    shelf.go_live(gone, target="backend.example", relevance=0.0)
    live = lambda target: shelf.coverage.bundles("toefl", target=target)[0].live  # noqa: E731
    assert (live(""), live("backend.example"), live("practice")) == (1, 1, 0)
    assert states(shelf, "toefl", "practice") == {"refer": "approved", "matter": "approved"}


def test_practice_is_not_live_where_there_is_another_backend(shelf: Shelf) -> None:
    shelf.vocabulary.import_list(b"refer\nmatter\n", exam="toefl")
    for word, target in (("refer", "practice"), ("matter", "backend.example")):
        mapping_id = shelf.shown(word, word)
        shelf.approve(mapping_id)
        shelf.go_live(mapping_id, target=target)
    coverage = Coverage(shelf.database, is_practice_live=False)
    assert [word.state for word in coverage.words("toefl")] == ["approved", "live"]
    assert (coverage.bundles("toefl")[0].live, coverage.bundles("toefl", target="practice")[0].live) == (1, 1)
    assert shelf.coverage.bundles("toefl")[0].live == 2


def test_the_demo_is_never_counted_with_real_words(shelf: Shelf) -> None:
    shelf.vocabulary.import_list(b"refer\n", exam="toefl")
    shelf.vocabulary.import_list(b"refer\n", exam="demo_toefl")
    shelf.approve(shelf.shown("shown", "refer", is_demo=True))
    found = {row.bundle: (row.approved[1], row.is_demo) for row in shelf.coverage.bundles()}
    assert found == {"toefl": (0, False), "demo_toefl": (1, True)}
    assert [row.bundle for row in shelf.coverage.bundles()] == ["toefl", "demo_toefl"]
    looked = shelf.coverage.look_up(["refer"])
    assert looked[0][1] is not None
    assert looked[0][1].state == "not_searched"


def test_clips_of_a_word_are_the_demos_only_where_no_real_list_has_it(shelf: Shelf) -> None:
    shelf.approve(shelf.shown("demo-refer", "refer", is_demo=True))
    shelf.approve(shelf.shown("demo-zebra", "zebra", is_demo=True))
    assert [clip.slug for clip in clips_of_word(shelf.database, "refer")] == ["demo-refer"]
    shelf.word("refer")
    assert clips_of_word(shelf.database, "refer") == []
    shelf.approve(shelf.shown("own-refer", "refer"))
    assert [clip.slug for clip in clips_of_word(shelf.database, "Refer", only_approved=True)] == ["own-refer"]
    assert [clip.slug for clip in clips_of_word(shelf.database, "zebra")] == ["demo-zebra"]


def test_pasted_words_say_which_have_clips(shelf: Shelf) -> None:
    shelf.vocabulary.import_list("refer\ncafé\n".encode(), exam="toefl")
    shelf.approve(shelf.shown("one", "refer"))
    found = shelf.coverage.look_up([" Refer", "café", "cafe", "zebra", "refer"])
    assert [(text, row.state if row else None) for text, row in found] == [
        (" Refer", "approved"),
        ("café", "not_searched"),
        ("cafe", None),
        ("zebra", None),
        ("refer", "approved"),
    ]
    assert shelf.coverage.look_up([]) == []


def test_an_empty_bundle_and_an_unknown_one(shelf: Shelf) -> None:
    assert shelf.coverage.bundles() == []
    with pytest.raises(NotFound, match="nothing"):
        shelf.coverage.bundles("nothing")
    with pytest.raises(NotFound):
        shelf.coverage.words("nothing")


# Beside a count by hand ----------------------------------------------------------------------------------------------


@dataclass
class MadeClip:
    """One mapping of the made world."""

    word: int
    kind: str
    relevance: float
    evidence: EvidenceState
    min_score: float
    live: tuple[float, ...] = ()


@dataclass
class MadeWorld:
    """What a small world holds."""

    levels: list[str]
    runs: list[tuple[int, str]] = field(default_factory=list)
    clips: list[MadeClip] = field(default_factory=list)


N_WORDS = 4
CLIPS = st.builds(
    MadeClip,
    st.integers(0, N_WORDS - 1),
    st.sampled_from(["", "approve", "approve", "reject", "skip", "flag", "undone"]),
    st.sampled_from([0.5, 0.6, 0.8]),
    st.sampled_from([EvidenceState.HEARD, EvidenceState.CAPTIONED, EvidenceState.NOT_HEARD]),
    st.sampled_from([0.6, 0.7]),
    st.sampled_from([(), (), (0.9,), (0.0,), (0.0, 0.8)]),
)
RUN_STATES = st.sampled_from(["done", "none_found", "failed", "waiting_for_quota", "cancelled", "queued"])
WORLDS = st.builds(
    MadeWorld,
    st.lists(st.sampled_from(["beginner", "intermediate", "advanced"]), min_size=N_WORDS, max_size=N_WORDS),
    st.lists(st.tuples(st.integers(0, N_WORDS - 1), RUN_STATES), max_size=4),
    st.lists(CLIPS, max_size=8),
)


def by_hand(world: MadeWorld, word: int) -> tuple[int, int, str]:
    """(approved, live, state) of a word, counted without SQL."""
    own = [clip for clip in world.clips if clip.word == word]
    approved = len([clip for clip in own if clip.kind == "approve"])
    live = sum(len([score for score in clip.live if score > 0]) for clip in own)
    waiting = [
        clip
        for clip in own
        if clip.kind in ("", "skip", "flag", "undone") and clip.evidence != EvidenceState.NOT_HEARD and clip.relevance >= clip.min_score
    ]
    rejected = [clip for clip in own if clip.kind == "reject" and clip.evidence != EvidenceState.NOT_HEARD]
    ends = [state for of_word, state in world.runs if of_word == word]
    if approved:
        return approved, live, "live" if live else "approved"
    for is_so, state in (
        (waiting, "in_review"),
        (rejected, "exhausted"),
        ("waiting_for_quota" in ends, "waiting_for_quota"),
        ({"done", "none_found"} & set(ends), "none_found"),
        ("failed" in ends, "failed"),
    ):
        if is_so:
            return 0, live, state
    return 0, live, "not_searched"


def build(world: MadeWorld, home: Path) -> Shelf:
    shelf = Shelf(home)
    names = [f"word{chr(97 + place)}" for place in range(N_WORDS)]
    rows = [f"{name},{level}" for name, level in zip(names, world.levels, strict=True)]
    shelf.vocabulary.import_list("\n".join(["word,level", *rows]).encode(), exam="toefl")
    for word, state in world.runs:
        shelf.run(names[word], state=state)
    held = {score: shelf.run("elsewhere", min_score=score, state="queued") for score in (0.6, 0.7)}
    for place, clip in enumerate(world.clips):
        mapping_id = shelf.shown(f"c{place}", names[clip.word], clip.relevance, evidence=clip.evidence, run_id=held[clip.min_score])
        if clip.kind == "undone":
            shelf.approve(mapping_id, note="so")
            shelf.review.undo("mina")
        elif clip.kind:
            shelf.decide(mapping_id, DecisionKind(clip.kind), note="so")
        for at, score in enumerate(clip.live):
            shelf.go_live(mapping_id, target=f"t{at}", relevance=score)
    return shelf


@settings(max_examples=25)
@given(world=WORLDS)
def test_the_sql_agrees_with_a_count_by_hand(world: MadeWorld) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shelf = build(world, Path(folder) / "home")
        try:
            expected = [by_hand(world, word) for word in range(N_WORDS)]
            found = shelf.coverage.words("toefl_advanced")
            assert [(word.n_approved, word.n_live, word.state) for word in sorted(found, key=lambda w: w.rank)] == expected
            order = ["beginner", "intermediate", "advanced"]
            for row in shelf.coverage.bundles(at_least=(1, 2, 3)):
                inside = [
                    expected[word] for word in range(N_WORDS) if order.index(world.levels[word]) <= order.index(row.bundle.split("_")[1])
                ]
                assert row.words == len(inside)
                assert row.approved == {k: len([one for one in inside if one[0] >= k]) for k in (1, 2, 3)}
                assert row.live == len([one for one in inside if one[1] > 0])
                assert row.reasons == {reason: len([one for one in inside if one[2] == reason]) for reason in REASONS}
                assert row.words == row.approved[1] + sum(row.reasons.values())
        finally:
            shelf.close()
