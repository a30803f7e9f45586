"""What must hold in every workspace, whatever happened to it. Source: FAULTS.md, I1 to I6."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import select, text, true

from core.model.clips import EvidenceState
from core.model.runs import ENDED_RUN, ENDED_WORD, RunStatus, WordState
from core.rules.decisions import is_vouched, replay
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.media_rows import stored_media_ids
from core.store.reviews import history_of
from core.store.tables import clips, corrections, ledger, mappings, run_words, runs, transcripts, words

if TYPE_CHECKING:
    from core.wiring import App

AS_ONE = {"judge_repair": "judge", "test_key": "search"}
"""Operations that a provider cannot tell apart."""


@dataclass(frozen=True)
class Counted:
    """What one provider counted."""

    provider: str
    answered: Mapping[str, int]
    """Operation → calls that it carried out."""
    arrivals: Sequence[float] = field(default=())
    """On its clock; empty where it has no limit."""
    limit: int = 0
    window_s: float = 0.0
    n_refused: int = 0
    """Requests that it refused because they were too many."""


def check_everything(
    app: App, providers: Sequence[Counted], *, secrets: Sequence[str], said: str = "", may_be_under_way: bool = False
) -> None:
    """I1 to I6, after any fault. Raises AssertionError with what is wrong.

    Args:
        said: all that was logged, raised, drawn or sent meanwhile. may_be_under_way: a run is only stopped, and calls may be intended.
    """
    check_words_ended(app.database)
    if not may_be_under_way:
        check_runs_ended(app.database)
    for counted in providers:
        check_ledger(app.database, counted.answered, provider=counted.provider, may_be_under_way=may_be_under_way)
        if counted.arrivals:
            check_rate(counted.arrivals, counted.limit, counted.window_s)
        assert not counted.n_refused, f"{counted.provider} refused {counted.n_refused} requests of our making"
    check_projection(app.database)
    check_exported(app)
    check_files(app.database, app.media_files)
    check_references(app.database)
    check_integrity(app.database)
    check_no_secret(app.database.home_path, secrets)
    for secret in secrets:
        assert secret not in said, f"a secret was said: {said[max(0, said.index(secret) - 300) :][:400]!r}"


def check_all(database: Database, files: MediaFiles, *, secrets: Sequence[str] = ()) -> None:
    """All of them; raises AssertionError with what is wrong."""
    check_words_ended(database)
    check_projection(database)
    check_files(database, files)
    check_references(database)
    check_integrity(database)
    check_no_secret(database.home_path, secrets)


def check_words_ended(database: Database) -> None:
    """I1: every word of an ended run is in one of the five states, a failed one with a reason."""
    query = select(run_words.c.run_id, run_words.c.word_id, run_words.c.state, run_words.c.reason, runs.c.status)
    with database.read() as connection:
        for row in connection.execute(query.join(runs, runs.c.run_id == run_words.c.run_id)):
            if row.status in ENDED_RUN:
                assert row.state in ENDED_WORD, f"word {row.word_id} of the {row.status} run {row.run_id} is {row.state}"
            if row.state == WordState.FAILED:
                assert row.reason.strip(), f"word {row.word_id} failed without a reason"


def check_runs_ended(database: Database) -> None:
    """I1: no run is left half done, unless it is stopped, and then it says for what."""
    with database.read() as connection:
        for row in connection.execute(select(runs.c.number, runs.c.status, runs.c.stopped_for)):
            assert row.status in ENDED_RUN or (row.status == RunStatus.PAUSED and row.stopped_for), f"run {row.number} is {row.status}"


def check_ledger(database: Database, answered: Mapping[str, int], *, provider: str = "", may_be_under_way: bool = False) -> None:
    """I2: the ledger's finished calls are those that the provider carried out; only those in doubt may differ.

    Args:
        answered: operation → how many calls the provider carried out, by its own count.
        provider: only its calls; empty for all.
        may_be_under_way: workers still run, so that calls may be intended.
    """
    query = select(ledger.c.operation, ledger.c.state, ledger.c.call_key).where(ledger.c.provider == provider if provider else true())
    with database.read() as connection:
        rows = connection.execute(query).all()
    counts = collections.Counter((AS_ONE.get(row.operation, row.operation), row.state) for row in rows)
    for operation in {operation for operation, _ in counts} | set(answered):
        n_done, n_doubt, n_open = (counts[operation, state] for state in ("done", "in_doubt", "intended"))
        n_answered = answered.get(operation, 0)
        assert may_be_under_way or not n_open, f"{n_open} calls ({operation}) are still intended"
        assert n_done <= n_answered, f"{operation}: the ledger has {n_done} finished calls, the provider carried out {n_answered}"
        assert n_answered <= n_done + n_doubt + n_open, f"{operation}: {n_answered} carried out, {n_done} finished, {n_doubt} in doubt"
    done = collections.Counter(row.call_key for row in rows if row.state == "done")
    assert not [key for key, count in done.items() if count > 1], "a call is done twice"


def check_rate(arrivals: Sequence[float], limit: int, window_s: float) -> None:
    """I4: no window of `window_s` holds more than `limit` of the moments at which requests came, on the provider's clock."""
    ordered = sorted(arrivals)
    for first, last in zip(ordered, ordered[limit:], strict=False):
        assert last - first >= window_s, f"{limit + 1} requests came within {last - first:.3f} s, of {window_s:g}"


def check_projection(database: Database) -> None:
    """I3: every mapping stands as the replay of its events says."""
    with database.read() as connection:
        for row in connection.execute(select(mappings)).all():
            standing = replay(history_of(connection, row.mapping_id))
            stored = (row.state, row.version, row.score, row.note, tuple(row.reasons), row.actor, row.is_vouched)
            vouched = is_vouched(standing.state, EvidenceState(row.evidence_state))
            told = (standing.state, standing.version, standing.score, standing.note, standing.reasons, standing.actor, vouched)
            assert stored == told, f"mapping {row.mapping_id}: stored {stored}, replayed {told}"


def check_exported(app: App) -> None:
    """I3: every approved mapping is among what an export would bring to its target, or there already."""
    offered = {(clip.slug, word) for clip in app.exports.preview("practice").clips for word in clip.words}
    joined = mappings.join(clips, clips.c.clip_id == mappings.c.clip_id).join(words, words.c.word_id == mappings.c.word_id)
    query = select(clips.c.slug, words.c.text).select_from(joined).where(mappings.c.state == "approved", clips.c.is_demo.is_(False))
    with app.database.read() as connection:
        approved = {(row.slug, row.text) for row in connection.execute(query)}
    assert not approved - offered, f"approved, and not in the export: {approved - offered}"


def check_files(database: Database, files: MediaFiles) -> None:
    """I5: no file is referenced and missing, none is there that nothing names, none twice, none half-written."""
    with database.read() as connection:
        wanted = stored_media_ids(connection)
    found = collections.Counter(files.ids())
    assert not wanted - set(found), f"referenced and missing: {wanted - set(found)}"
    assert not set(found) - wanted, f"there and not referenced: {set(found) - wanted}"
    assert not [media_id for media_id, count in found.items() if count > 1]
    scratch = [path for path in (database.home_path / "scratch").rglob("*") if path.is_file()]
    assert not scratch, f"left in scratch: {scratch}"
    parts = [path for name in ("media", "downloads") for path in (database.home_path / name).rglob(".part-*")]
    assert not parts, f"half-written: {parts}"


def check_references(database: Database) -> None:
    """I5: a clip names media and a transcript that are there; a correction both its texts."""
    with database.read() as connection:
        known = set(connection.execute(select(transcripts.c.transcript_id)).scalars())
        for row in connection.execute(select(clips.c.slug, clips.c.transcript_id)):
            assert row.transcript_id is None or row.transcript_id in known, row.slug
        for row in connection.execute(select(corrections)):
            assert {row.before_transcript_id, row.after_transcript_id} <= known


def check_integrity(database: Database) -> None:
    """I5: SQLite's own check, and its foreign keys."""
    if database.is_embedded:
        with database.read() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def check_no_secret(home_path: Path, secrets: Sequence[str]) -> None:
    """I6: no secret in any file of the workspace: database, journal, engine, logs."""
    for path in home_path.rglob("*"):
        if path.is_file() and path.suffix != ".mp4":
            data = path.read_bytes()
            for secret in secrets:
                assert secret.encode() not in data, f"a secret stands in {path}"
