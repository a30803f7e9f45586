"""What a run is expected to bring: from what was approved so far, and what past runs brought; assumptions are named."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from core.model.clips import Source
from core.model.runs import Expected, RunSettings
from core.rules.approval import ApprovalModel
from core.rules.rates import RateLimit, fastest_s
from core.services.plan_words import KnownLines, Look, WordPlan
from core.store import plan_rows
from core.store.choices import load_approval_model
from core.store.plan_rows import PastClips

LEAST_LEARNT = 5
TYPICAL_SCORE = 0.8
"""Relevance of a clip that is worth a download, where none is known yet."""
ASSUMED_FOUND_RATIO = 0.8
"""Words for which something good is found, until five were searched."""
ASSUMED_FIRST_CLIP_S = 60.0
"""From launch to the first clip on the desk, until a run has shown it. Source: DESIGN.md, figures to reach."""
FIRST_REQUESTS = 3
"""A search, a link and a download."""


def look_ahead(
    connection: Connection,
    look: Look,
    lines: KnownLines,
    settings: RunSettings,
    n_clips: int,
    rate: RateLimit | None,
) -> tuple[Expected | None, list[str]]:
    """What `n_clips` fetched clips bring to the open words, and what that rests on. None where no word is open."""
    words = look.open
    if not words:
        return None, []
    model, past = load_approval_model(connection), plan_rows.past_clips(connection, settings.source)
    says: list[str] = []
    ratio = _approved_ratio(model, words, lines, says)
    words_a_clip = _words_a_clip(past, says)
    found = _found_ratios(past, look, lines, says)
    n_usable = min(float(n_clips), sum(word.n_wanted * found[word_id] for word_id, word in words))
    n_reachable = sum(word.n_wanted * found[word_id] for word_id, word in words) or 1.0
    attempts = {word_id: word.n_wanted * n_usable / n_reachable * words_a_clip for word_id, word in words}
    n_gain = sum(found[word_id] * (1 - (1 - ratio) ** attempts[word_id]) for word_id, _ in words)
    n_approved = min(sum(word.n_wanted for _, word in words), round(n_usable * words_a_clip * ratio))
    expected = Expected(
        n_words_gain=min(round(n_gain), n_approved),
        n_clips_approved=n_approved,
        words_a_download=round(words_a_clip, 2),
        approved_ratio=round(ratio, 3),
        first_clip_s=_first_clip_s(connection, settings, rate, says),
        n=model.n,
        says=_summary(past, model, words_a_clip, ratio, "clip" if settings.source is Source.LIBRARY else "download"),
    )
    return expected, says


def _approved_ratio(model: ApprovalModel, words: Sequence[tuple[int, WordPlan]], lines: KnownLines, says: list[str]) -> float:
    """The mean chance of the best known clips of each word; without any, of what was decided, or of a typical score."""
    chances: list[float] = []
    for word_id, word in words:
        read = [lines.answers.good.get(clip_id, {}) for clip_id in lines.of_words.get(word_id, ())]
        good = sorted(((scores[word_id], len(scores)) for scores in read if word_id in scores), reverse=True)
        chances += [model.probability(score, n_words, "", "") for score, n_words in good[: word.n_wanted]]
    if chances:
        says.append(f"The share that is approved is that of {len(chances):,} shortlisted clips at hand.")
        return sum(chances) / len(chances)
    if model.n >= LEAST_LEARNT:
        return model.n_approved / model.n
    says.append(f"The share that is approved is of a clip with score {TYPICAL_SCORE}, an assumption: {model.n} decided so far.")
    return model.probability(TYPICAL_SCORE, 1, "", "")


def _words_a_clip(past: PastClips, says: list[str]) -> float:
    if past.n_clips >= LEAST_LEARNT:
        return past.n_mappings / past.n_clips
    says.append(f"One word a clip, an assumption: {past.n_clips} clips were fetched so far.")
    return 1.0


def _found_ratios(past: PastClips, look: Look, lines: KnownLines, says: list[str]) -> dict[int, float]:
    """Word id → the chance that something good is found: known where its lines were read, else what past words had."""
    if past.n_words >= LEAST_LEARNT:
        usual = past.n_words_found / past.n_words
        basis = f"{past.n_words_found:,} of {past.n_words:,} words that were searched before had a clip."
    else:
        usual = ASSUMED_FOUND_RATIO
        basis = f"{usual:.0%} of the words have a clip, an assumption: {past.n_words} were searched so far.".replace("%", " %")
    found: dict[int, float] = {}
    good = lines.answers.good
    for word_id, word in look.open:
        mine = lines.of_words.get(word_id, set())
        is_fresh = word_id in look.searches and not word.is_search_too_old
        if is_fresh and not word.n_hits_kept:
            found[word_id] = 0.0
        elif mine and all(clip_id in good for clip_id in mine):
            found[word_id] = float(any(word_id in good[clip_id] for clip_id in mine))
        else:
            found[word_id] = usual
    if any(ratio == usual for ratio in found.values()):
        says.append(basis)
    return found


def _first_clip_s(connection: Connection, settings: RunSettings, rate: RateLimit | None, says: list[str]) -> float:
    floor_s = fastest_s(FIRST_REQUESTS, rate) if rate is not None else 0.0
    times = plan_rows.first_clip_times(connection, settings.source)
    if times:
        says.append(f"The first clip's time is the mean of {len(times)} {'run' if len(times) == 1 else 'runs'}.")
        return round(floor_s + sum(times) / len(times), 1)
    says.append(f"The first clip comes within {ASSUMED_FIRST_CLIP_S:.0f} s, an assumption: no run has brought one yet.")
    return floor_s + ASSUMED_FIRST_CLIP_S


def _summary(past: PastClips, model: ApprovalModel, words_a_clip: float, ratio: float, unit: str) -> str:
    """`From runs 11 to 13: 1.4 words a download, 82 % approved, n = 396.`"""
    told = f"{words_a_clip:.1f} words a {unit}, {ratio * 100:.0f} % approved"
    if not model.n or not past.n_runs:
        return f"A prior, nothing was decided yet: {told}."
    span = f"run {past.last_run}" if past.n_runs == 1 else f"runs {past.first_run} to {past.last_run}"
    return f"From {span}: {told}, n = {model.n}."
