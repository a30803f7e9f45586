"""Discovery: choosing words, planning, launching and following runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from core.errors import Conflict, InvalidInput
from core.model.clips import Source
from core.model.runs import ENDED_RUN, Plan, RunSettings, RunStatus, RunSummary
from core.model.vocabulary import VocabularyWord
from core.ports import RunSwitches
from core.services.coverage import Coverage
from core.services.vocabulary import Vocabulary, name_from, refuse_demo_name
from core.store import runs as rows
from core.store.database import Database
from core.store.reviews import approved_counts, reviewable_counts
from core.store.runs import RunRow, RunWordRow
from core.store.vocabulary import is_demo_name


@dataclass(frozen=True, slots=True)
class WordChoice:
    """Which words a run is about: exactly one of the four."""

    file: tuple[str, bytes] | None = None
    """(name, content) of a word list."""
    bundle: str = ""
    words: tuple[str, ...] = ()
    gaps: str = ""


@dataclass(frozen=True, slots=True)
class ChosenWords:
    """The words of a choice, in order, with the bundle that they stand in."""

    bundle: str
    name: str
    """For people: `gaps of ielts_advanced`."""
    words: tuple[VocabularyWord, ...]
    is_demo: bool
    report: tuple[str, ...] = ()
    """What was changed or refused while reading, a line each."""
    request: str = ""
    """What was asked for, where the words that it means grow fewer as its run goes on; else empty."""


@dataclass(frozen=True, slots=True)
class WordPlan:
    """One word of a plan."""

    word: str
    n_approved: int
    n_in_review: int
    n_wanted: int
    """Clips that the run would look for; 0 when the word has enough, or is not this run's to search."""
    searched_at: datetime | None = None
    """When the source was last asked with these settings; None for never."""
    n_hits_kept: int | None = None
    """What that search brought; None where there was none."""
    is_search_too_old: bool = False
    """The source is asked anew."""
    n_searches: int = 1
    """Searches that the run would make for it; 0 is free."""
    in_run: int | None = None
    """The number of an unfinished run that has the word: this one leaves it out."""
    is_in_production: bool = False
    """The backend says that it needs no clip: this run leaves it out."""


class Discovery:
    """Launches runs and tells how they go. `freeze` completes the settings with the judge and transcriber in use."""

    def __init__(
        self,
        database: Database,
        vocabulary: Vocabulary,
        coverage: Coverage,
        switches: RunSwitches,
        freeze: Callable[[RunSettings], RunSettings],
    ) -> None:
        self._database = database
        self._vocabulary = vocabulary
        self._coverage = coverage
        self._switches = switches
        self._freeze = freeze

    def choose(self, choice: WordChoice, *, want: int = 3, is_kept: bool = True) -> ChosenWords:
        """The words of a choice. A file's and typed words join an own bundle, unless `is_kept` is false (a plan writes nothing).

        Raises: InvalidInput when not exactly one is given or nothing is left; NotFound.
        """
        given = [choice.file is not None, bool(choice.bundle), bool(choice.words), bool(choice.gaps)]
        if sum(given) != 1:
            raise InvalidInput("A run needs its words from exactly one of: a file, a bundle, typed words, the gaps of a bundle.")
        if choice.file is not None:
            return self._from_file(*choice.file, is_kept=is_kept)
        if choice.words:
            texts = [text for text in (word.strip() for word in choice.words) if text]
            headed = "\n".join(["word", *texts]).encode("utf-8", "replace")  # or else a first word such as `term` would be the header
            return self._own("typed", "typed words", headed, is_kept=is_kept)
        if choice.gaps:
            wanted = set(self._coverage.gaps(choice.gaps, want))
            found = [word for word in self._vocabulary.bundle_words(choice.gaps) if word.word_id in wanted]
            name = f"gaps of {choice.gaps}"
            return ChosenWords(choice.gaps, name, tuple(found), is_demo_name(choice.gaps), request=name)
        return ChosenWords(choice.bundle, choice.bundle, tuple(self._vocabulary.bundle_words(choice.bundle)), is_demo_name(choice.bundle))

    def _from_file(self, name: str, data: bytes, *, is_kept: bool) -> ChosenWords:
        bundle = name_from(name)
        refuse_demo_name(bundle)
        return self._own(bundle, name, data, is_kept=is_kept)

    def _own(self, bundle: str, name: str, data: bytes, *, is_kept: bool) -> ChosenWords:
        parsed = self._vocabulary.parse_file(data, file_name=name)
        if not parsed.words:
            raise InvalidInput(
                f"{name} has no word that can be taken.", hint="; ".join(f"line {row.line}: {row.reason}" for row in parsed.refused[:3])
            )
        report = tuple(
            [f"line {row.line}: {row.before!r} read as {row.after!r}" for row in parsed.changed]
            + [f"line {row.line}: {row.text!r} refused, {row.reason}" for row in parsed.refused]
        )
        texts = [word.text for word in parsed.words]
        definitions = {word.text: (word.pos, word.definition) for word in parsed.words}
        if is_kept:
            found = tuple(self._vocabulary.add_words(texts, bundle=bundle, definitions=definitions))
        else:
            from core.rules.word_keys import word_key
            from core.store.vocabulary import word_ids_by_key

            with self._database.read() as connection:
                ids = word_ids_by_key(connection, texts)
            found = tuple(VocabularyWord(ids.get(word_key(text), -place), text) for place, text in enumerate(texts, 1))
        return ChosenWords(bundle, name, found, is_demo_name(bundle), report)

    def plan_words(self, chosen: ChosenWords, want: int) -> list[WordPlan]:
        """What each word has and would get."""
        with self._database.read() as connection:
            approved, waiting = approved_counts(connection), reviewable_counts(connection)
        return [
            WordPlan(
                word.text,
                approved.get(word.word_id, 0),
                waiting.get(word.word_id, 0),
                max(0, want - approved.get(word.word_id, 0) - waiting.get(word.word_id, 0)),
            )
            for word in chosen.words
        ]

    def plan(self, chosen: ChosenWords, settings: RunSettings) -> Plan:
        """What the run would cost. Own films need no request, no download and no money."""
        words = self.plan_words(chosen, settings.want)
        n_open = len([word for word in words if word.n_wanted])
        n_wanted = sum(word.n_wanted for word in words)
        return Plan(
            words=len(words),
            already_covered=len(words) - n_open,
            searches=n_open,
            fresh_links=0,
            downloads=0 if settings.source is Source.LIBRARY else n_wanted,
            judge_calls=0,
            tokens=0,
            cost_usd=0.0,
            minimum_s=0.0,
            quota={"requests_this_month": None, "downloads_this_month": None},
        )

    def require_source(self, source: Source) -> None:
        """Raises: InvalidInput for a source that is not set up here; ask before a choice of words is kept."""
        if source is not Source.LIBRARY:
            raise InvalidInput(f"The source {source} is not set up here.", hint="Use --source library: your own films.")

    def launch(self, chosen: ChosenWords, settings: RunSettings, *, actor: str, name: str = "") -> str:
        """Start a run, or resume the unfinished one of the same request. Returns its id.

        Raises: InvalidInput.
        """
        self.require_source(settings.source)
        settings = self._freeze(replace(settings, bundle=chosen.bundle, is_demo=chosen.is_demo))
        key = request_key(chosen.words, settings, chosen.request)
        with self._database.write() as connection:
            known = rows.unfinished_run(connection, key)
            if not known and not chosen.words:
                raise InvalidInput(f"No word of {chosen.name} wants a clip.", hint="Every word has what it wants, or the bundle is empty.")
            run_id = (
                known.run_id
                if known
                else rows.create_run(
                    connection,
                    name=name or chosen.name,
                    settings=settings,
                    word_ids=[word.word_id for word in chosen.words],
                    request_key=key,
                    actor=actor,
                )
            )
        self._switches.start(run_id)
        return run_id

    def runs(self, *, limit: int = 100) -> list[RunRow]:
        """Newest first."""
        with self._database.read() as connection:
            return rows.list_runs(connection, limit=limit)

    def run(self, run_id: str) -> RunRow:
        """By id or number. Raises: NotFound."""
        with self._database.read() as connection:
            return rows.load_run(connection, run_id)

    def words(self, run_id: str) -> list[RunWordRow]:
        """The words of a run with their state."""
        with self._database.read() as connection:
            return rows.words_of_run(connection, self.run(run_id).run_id)

    def summary(self, run_id: str) -> RunSummary:
        """What `discover` and `runs show` answer. Raises: NotFound."""
        with self._database.read() as connection:
            return rows.summarize(connection, rows.load_run(connection, run_id))

    def pause(self, run_id: str) -> RunSummary:
        """Stops at the next stage; nothing that was done is lost. Raises: NotFound, Conflict."""
        self._must_not_have_ended(run_id, "paused")
        self._switches.pause(self.run(run_id).run_id)
        return self.summary(run_id)

    def resume(self, run_id: str) -> RunSummary:
        """Raises: NotFound, Conflict."""
        run = self.run(run_id)
        if run.status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
            raise Conflict(f"Run {run.number} has ended ({run.status}).", hint="`runs retry` begins what failed again.")
        self._switches.start(run.run_id)
        return self.summary(run_id)

    def cancel(self, run_id: str) -> RunSummary:
        """Ends it at the next stage; what was found stays. Cancelling twice is once. Raises: NotFound, Conflict."""
        if self.run(run_id).status is not RunStatus.CANCELLED:
            self._must_not_have_ended(run_id, "cancelled")
            self._switches.cancel(self.run(run_id).run_id)
        return self.summary(run_id)

    def retry(self, run_id: str) -> RunSummary:
        """Begin again just what failed. Nothing failed: nothing is done. Raises: NotFound."""
        self._switches.retry(self.run(run_id).run_id)
        return self.summary(run_id)

    def _must_not_have_ended(self, run_id: str, verb: str) -> None:
        run = self.run(run_id)
        if run.status in ENDED_RUN:
            raise Conflict(
                f"Run {run.number} has ended ({run.status}); it cannot be {verb}.", hint="`runs retry` begins what failed again."
            )


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """The answer of `discover --json`, `runs show` and `/api/runs/{id}`."""
    return {**asdict(summary), "status": str(summary.status), "failed": [asdict(failure) for failure in summary.failed]}


def request_key(words: Sequence[VocabularyWord], settings: RunSettings, request: str = "") -> str:
    """The same command has the same key."""
    given = [request or sorted(word.word_id for word in words), {name: str(value) for name, value in asdict(settings).items()}]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
