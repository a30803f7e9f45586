"""Evidence: heard, captioned, not heard."""

from __future__ import annotations

from dataclasses import dataclass

from core.model.clips import Evidence, EvidenceState
from core.model.transcripts import TimedBy, WordTiming
from core.rules.evidence import find_evidence


@dataclass(frozen=True)
class Found:
    form: str
    first_index: int
    n_tokens: int = 1


def words(probability: float | None, timed_by: TimedBy = TimedBy.RECOGNITION, fault: str = "") -> list[WordTiming]:
    return [WordTiming(text, n, n + 0.5, probability, timed_by, fault=fault) for n, text in enumerate(("He", "referred", "to", "it"))]


def weigh(
    own: list[WordTiming], *found: Found, is_verified_by_audio: bool = True, spoken: str = "", script: str = "", notes: tuple[str, ...] = ()
) -> Evidence:
    return find_evidence(
        found,
        own,
        spoken_text=spoken,
        script_text=script,
        forms={"refer", "referred"},
        transcript_id="t",
        is_verified_by_audio=is_verified_by_audio,
        notes=notes,
    )


REFERRED = Found("referred", 1)


def test_heard() -> None:
    evidence = weigh(words(0.9), REFERRED)
    assert evidence.state is EvidenceState.HEARD and evidence.transcript_id == "t"
    (one,) = evidence.occurrences
    assert (one.form, one.word_index, one.n_words, one.start_s, one.end_s, one.probability, one.timed_by) == (
        "referred",
        1,
        1,
        1,
        1.5,
        0.9,
        "recognition",
    )
    assert evidence.reasons == ()


def test_a_recogniser_without_probability_is_believed_and_none_is_invented() -> None:
    evidence = weigh(words(None), REFERRED)
    assert evidence.state is EvidenceState.HEARD and evidence.occurrences[0].probability is None


def test_a_guess_or_a_word_without_sound_is_not_heard() -> None:
    assert weigh(words(0.2), REFERRED).state is EvidenceState.NOT_HEARD
    silent = weigh(words(0.9, fault="no_sound"), REFERRED)
    assert silent.state is EvidenceState.NOT_HEARD and silent.reasons == ("No sound at 1.0 s.",)


def test_one_good_occurrence_is_enough() -> None:
    own = [*words(0.2), WordTiming("referred", 9, 9.5, 0.8, TimedBy.ALIGNMENT)]
    evidence = weigh(own, REFERRED, Found("referred", 4))
    assert evidence.state is EvidenceState.HEARD and len(evidence.occurrences) == 2 and len(evidence.reasons) == 1


def test_captions_are_never_heard_however_well_they_fit() -> None:
    fitting = weigh(words(None, TimedBy.ALIGNMENT), REFERRED, is_verified_by_audio=False)
    assert fitting.state is EvidenceState.CAPTIONED and "fits" in fitting.reasons[0]
    silent = weigh(words(None, TimedBy.CAPTION, "no_sound"), REFERRED, is_verified_by_audio=False)
    assert silent.state is EvidenceState.CAPTIONED and "No sound at 1.0 s." in silent.reasons


def test_not_in_the_transcript() -> None:
    assert weigh(words(0.9)).reasons == ("The recogniser did not hear it.",)
    assert weigh(words(0.9), spoken="They refer to it.").reasons == ("Only in the caption: the recogniser did not hear it.",)
    only_script = weigh(words(None), script="[He referred to a map] JOE: Yes", is_verified_by_audio=False)
    assert only_script.state is EvidenceState.NOT_HEARD and only_script.reasons == ("Only in the script.",)
    assert weigh(words(0.9), script="preferred").reasons == ("The recogniser did not hear it.",)


def test_a_word_of_several_tokens_takes_the_weakest_of_each() -> None:
    own = [WordTiming("well", 0, 1, 0.9, TimedBy.ALIGNMENT), WordTiming("known", 1, 2, 0.6, TimedBy.RECOGNITION)]
    (one,) = weigh(own, Found("well known", 0, 2)).occurrences
    assert (one.start_s, one.end_s, one.probability, one.timed_by) == (0, 2, 0.6, "recognition")


def test_matches_outside_the_words_are_left_out() -> None:
    assert weigh(words(0.9), Found("referred", 4)).occurrences == ()


def test_a_recognition_without_speech_says_what_was_there_instead() -> None:
    dropped = "hallucination_dropped: a credit line at 0.0 s: Thanks for watching"
    notes = {"silence": "silence", "music: there is sound, but no speech": "music or noise", "silence or music: x": "silence or music"}
    for note, what in notes.items():
        evidence = weigh([], notes=(dropped, note))
        assert evidence.state is EvidenceState.NOT_HEARD
        assert evidence.reasons == (
            "The recogniser did not hear it.",
            f"No speech was recognised, only {what}.",
            "Dropped, since nobody said it: a credit line at 0.0 s: Thanks for watching",
        )


def test_dropped_text_is_told_only_where_it_holds_the_word() -> None:
    other = "hallucination_dropped: a guess at 3.0 s: la la la"
    own = "hallucination_dropped: no speech at 5.0 s: he referred"
    reasons = weigh(words(0.9), notes=(other, own)).reasons
    assert reasons == ("The recogniser did not hear it.", "Dropped, since nobody said it: no speech at 5.0 s: he referred")
    assert weigh(words(0.9), REFERRED, notes=(own,)).reasons == ()
