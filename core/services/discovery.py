"""Discovery: choosing words, planning, launching and following runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from core.errors import Conflict, InvalidInput
from core.model.clips import Source
from core.model.runs import ENDED_RUN, Plan, RunSettings, RunStatus, RunSummary, WordState
from core.model.vocabulary import VocabularyWord
from core.ports import RunSwitches
from core.services.coverage import Coverage
from core.services.plan_words import ChosenWords, Look, WordPlan, has_now
from core.services.planning import Planner, Surroundings, notes_of
from core.services.vocabulary import Vocabulary, name_from, refuse_demo_name
from core.store import runs as rows
from core.store.database import Database
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


SOURCE_NAMES = {Source.CLIPCAFE: "ClipCafe"}
MAX_COUNT = 10**9
MAX_COST_USD = 1e6
"""Limits beyond these are slips of the keyboard, and none of them is a number that a database or JSON cannot hold."""
PRODUCTION_HAS_IT = "Production has it"
"""Of a word that ended at the launch."""


class Discovery:
    """Launches runs and tells how they go. `freeze` completes the settings with the judge and transcriber in use."""

    def __init__(
        self,
        database: Database,
        vocabulary: Vocabulary,
        coverage: Coverage,
        switches: RunSwitches,
        freeze: Callable[[RunSettings], RunSettings],
        surroundings: Surroundings | None = None,
    ) -> None:
        """`surroundings`: what a plan asks of the outside; None: own films, nothing paid."""
        self._database = database
        self._vocabulary = vocabulary
        self._coverage = coverage
        self._switches = switches
        self._freeze = freeze
        self._outside = surroundings or Surroundings()
        self._planner = Planner(database, self._outside)

    def choose(self, choice: WordChoice, *, want: int = 3, is_kept: bool = True) -> ChosenWords:
        """The words of a choice. A file's and typed words join an own bundle, unless `is_kept` is false (a plan writes nothing).

        Raises: InvalidInput when not exactly one is given or nothing is left; NotFound.
        """
        given = [choice.file is not None, bool(choice.bundle), bool(choice.words), bool(choice.gaps)]
        if sum(given) != 1:
            raise InvalidInput(
                "A run needs its words from exactly one of: a file, a bundle, typed words, the gaps of a bundle.",
                hint="For example --words refer,reveal, or --gaps and a bundle; `python run.py vocab list` shows the bundles.",
            )
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
            return ChosenWords(choice.gaps, name, tuple(found), is_demo_name(choice.gaps), request=name, is_whole_bundle=True)
        words = tuple(self._vocabulary.bundle_words(choice.bundle))
        return ChosenWords(choice.bundle, choice.bundle, words, is_demo_name(choice.bundle), is_whole_bundle=True)

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

    def plan_words(self, chosen: ChosenWords, want: int, settings: RunSettings | None = None) -> list[WordPlan]:
        """What each word has and would get. With the run's `settings` also its last search, what that costs, and who has it already."""
        if settings is None:
            with self._database.read() as connection:
                return has_now(connection, chosen, want)
        settings = replace(settings, want=want, bundle=chosen.bundle, is_demo=chosen.is_demo)
        return list(self._planner.look(chosen, settings, own_run=self._own_run(chosen, settings)).words)

    def plan(self, chosen: ChosenWords, settings: RunSettings) -> Plan:
        """What the run would cost, with the judge and the recogniser that are in use now. Writes nothing.

        Raises: InvalidInput for a limit out of range; what freezing the settings raises.
        """
        require_limits(settings)
        frozen = self._freeze(replace(settings, bundle=chosen.bundle, is_demo=chosen.is_demo))
        known = self._unfinished(chosen, frozen)
        found = self._planner.plan(self._planner.look(chosen, frozen, own_run=known.run_id if known else ""), frozen)
        if not self._outside.is_set_up(settings.source):
            needs = f"No key of {SOURCE_NAMES.get(settings.source, settings.source)} is set: enter one in Settings before the launch."
            found = replace(found, basis=(needs, *found.basis))
        if _is_astray(chosen, settings):
            found = replace(found, basis=(f"This run cannot be launched: {_astray(chosen)}", *found.basis))
        if known is None:
            return found
        return replace(found, basis=(f"Run {known.number} is this very request and has not ended: it goes on.", *found.basis))

    def usual_source(self, choice: WordChoice | None = None) -> Source:
        """ClipCafe where its key is set, else own films; for demo words always these: they are spoken in the demo's films."""
        is_demo = choice is not None and is_demo_name(choice.bundle or choice.gaps)
        return Source.CLIPCAFE if self._outside.is_set_up(Source.CLIPCAFE) and not is_demo else Source.LIBRARY

    def require_source(self, source: Source) -> None:
        """Raises: InvalidInput for a source that is not set up here; ask before a choice of words is kept."""
        if self._outside.is_set_up(source):
            return
        if source is Source.CLIPCAFE:
            raise InvalidInput(
                "ClipCafe needs a key, and none is set here.",
                hint="Get one at clip.cafe, then set CLIPCAFE or enter it in Settings. --source library searches your own films.",
            )
        raise InvalidInput(f"The source {source} is not set up here.", hint="Use --source library: your own films.")

    def launch(self, chosen: ChosenWords, settings: RunSettings, *, actor: str, name: str = "") -> str:
        """Start a run with its plan, or resume the unfinished one of the same request. Returns its id.

        Words that an unfinished run has to do are left to it; those that production has end at once.
        Raises: InvalidInput.
        """
        self.require_source(settings.source)
        require_limits(settings)
        if _is_astray(chosen, settings):
            raise InvalidInput(_astray(chosen), hint="Use --source library.")
        frozen = self._freeze(replace(settings, bundle=chosen.bundle, is_demo=chosen.is_demo))
        known = self._unfinished(chosen, frozen)
        if known is None:
            self._require_prices(frozen)
            look = self._planner.look(chosen, frozen)
            return self._start(chosen, frozen, look, self._planner.plan(look, frozen), actor=actor, name=name)
        self._switches.start(known.run_id)
        return known.run_id

    def _start(self, chosen: ChosenWords, settings: RunSettings, look: Look, plan: Plan, *, actor: str, name: str) -> str:
        taken = [(word_id, word) for word_id, word in zip(look.word_ids, look.words, strict=True) if word.in_run is None]
        if not taken:
            raise _nothing_to_do(chosen, look)
        key = request_key(chosen.words, settings, chosen.request)
        with self._database.write() as connection:
            known = rows.unfinished_run(connection, key)  # somebody may have been faster
            run_id = (
                known.run_id
                if known
                else rows.create_run(
                    connection,
                    name=name or chosen.name,
                    settings=settings,
                    word_ids=[word_id for word_id, _ in taken],
                    request_key=key,
                    actor=actor,
                    plan=asdict(plan),
                    notes=(*notes_of(look), *_left_out(look)),
                )
            )
            for word_id, word in () if known else taken:
                if word.is_in_production:
                    rows.set_run_word(connection, run_id, word_id, state=WordState.DONE, detail=PRODUCTION_HAS_IT)
        self._switches.start(run_id)
        return run_id

    def _unfinished(self, chosen: ChosenWords, settings: RunSettings) -> RunRow | None:
        """The run of this very request that has not ended; `settings` are frozen."""
        with self._database.read() as connection:
            return rows.unfinished_run(connection, request_key(chosen.words, settings, chosen.request))

    def _own_run(self, chosen: ChosenWords, settings: RunSettings) -> str:
        known = self._unfinished(chosen, self._freeze(settings))
        return known.run_id if known else ""

    def _require_prices(self, settings: RunSettings) -> None:
        unpriced = self._planner.unpriced(settings) if settings.max_cost_usd is not None else ()
        if unpriced:
            raise InvalidInput(
                f"The price of {' and '.join(unpriced)} is not known, so that a limit of ${settings.max_cost_usd:.2f} cannot be held.",
                hint="Enter its price in Settings, or leave the limit away.",
            )

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
            raise Conflict(f"Run {run.number} has ended ({run.status}).", hint=_retry_hint(run))
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
        if run.status is RunStatus.WAITING_FOR_QUOTA:
            hint = f"Nothing of it goes on by itself; `python run.py runs resume {run.number}` does."
            raise Conflict(f"Run {run.number} waits for a quota; it cannot be {verb}.", hint=hint)
        if run.status in ENDED_RUN:
            raise Conflict(f"Run {run.number} has ended ({run.status}); it cannot be {verb}.", hint=_retry_hint(run))


def _is_astray(chosen: ChosenWords, settings: RunSettings) -> bool:
    """Demo words at a source that does not hold the demo's films."""
    return chosen.is_demo and settings.source is not Source.LIBRARY


def _astray(chosen: ChosenWords) -> str:
    return f"{chosen.name} is of the demo, and its words are in the demo's films only."


def _retry_hint(run: RunRow) -> str:
    return f"`python run.py runs retry {run.number}` begins what failed again."


def require_limits(settings: RunSettings) -> None:
    """Raises: InvalidInput for a limit that no run can hold; ask before a choice of words is kept."""
    for name, n in (("Hits a word", settings.max_videos), ("Downloads", settings.max_downloads or 0)):
        if n > MAX_COUNT:
            raise InvalidInput(f"{name} are at most {MAX_COUNT:,}, not {n}.", hint="Enter a smaller number.")
    most = settings.max_cost_usd
    if most is not None and not 0 <= most <= MAX_COST_USD:
        raise InvalidInput(
            f"A limit of money is from 0 to {MAX_COST_USD:,.0f} US dollars, not {most:g}.", hint="Leave it away for no limit."
        )


def _nothing_to_do(chosen: ChosenWords, look: Look) -> InvalidInput:
    if not look.words:
        return InvalidInput(f"No word of {chosen.name} wants a clip.", hint="Every word has what it wants, or the bundle is empty.")
    numbers = sorted({word.in_run for word in look.words if word.in_run is not None})
    has = f"run {numbers[0]} has" if len(numbers) == 1 else f"runs {', '.join(map(str, numbers))} have"
    return InvalidInput(
        f"Every word of {chosen.name} that wants a clip is in a run: {has} not ended.", hint=f"`python run.py runs resume {numbers[0]}`."
    )


def _left_out(look: Look) -> tuple[str, ...]:
    """Words that are not this run's to do, a sentence a reason."""
    says = []
    for number in sorted({word.in_run for word in look.words if word.in_run is not None}):
        n = sum(word.in_run == number for word in look.words)
        says.append(f"{n:,} {'word is' if n == 1 else 'words are'} left to run {number}, which has not ended.")
    n = sum(word.is_in_production for word in look.words)
    if n:
        says.append(f"{n:,} {'word has' if n == 1 else 'words have'} a clip at {look.production.target} already and cost nothing.")
    return tuple(says)


def summary_json(summary: RunSummary) -> dict[str, Any]:
    """The answer of `discover --json`, `runs show` and `/api/runs/{id}`."""
    return {**asdict(summary), "status": str(summary.status), "failed": [asdict(failure) for failure in summary.failed]}


def request_key(words: Sequence[VocabularyWord], settings: RunSettings, request: str = "") -> str:
    """The same command has the same key."""
    given = [request or sorted(word.word_id for word in words), {name: str(value) for name, value in asdict(settings).items()}]
    return hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()


__all__ = [
    "PRODUCTION_HAS_IT",
    "ChosenWords",
    "Discovery",
    "Surroundings",
    "WordChoice",
    "WordPlan",
    "request_key",
    "summary_json",
]
