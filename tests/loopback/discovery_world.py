"""A workspace whose discovery runs in this process, stage by stage, on the fakes that ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import select

from core.adapters.judge_fake import FakeJudge
from core.adapters.media_fake import FakeMediaTools
from core.adapters.source_fake import FakeClipSource
from core.adapters.transcriber_fake import FakeTranscriber
from core.model.clips import FilmFacts, Hit, Source
from core.model.runs import RunSettings, RunSummary
from core.model.transcripts import Cue
from core.pipeline import choose, fetch, known, merge, probe, score, search, shortlist, steps, transcribe
from core.pipeline.bench import Bench, own_scratch
from core.pipeline.refill import Refill, queue_refill
from core.pipeline.run_control import RunControl
from core.pipeline.steps import OpenWord
from core.pipeline.work import Work
from core.services.coverage import Coverage
from core.services.desk import Desk
from core.services.discovery import Discovery, WordChoice
from core.services.review import Review
from core.services.settings import Settings
from core.services.vocabulary import Vocabulary
from core.store.database import Database
from core.store.media_files import MediaFiles
from core.store.tables import clips, jobs, mappings, words

WAYS = {
    "known": known.run_known,
    "search": search.run_search,
    "merge": merge.run_merge,
    "shortlist": shortlist.run_shortlist,
    "choose": choose.run_choose,
    "fetch": fetch.run_fetch,
    "probe": probe.run_probe,
    "transcribe": transcribe.run_transcribe,
    "score": score.run_score,
}
FILM = FilmFacts(title="The Lantern Keeper", year=2017)


def hit(slug: str, spoken: str, *, script: str = "", film: FilmFacts = FILM, is_demo: bool = False, length_s: float = 4.0) -> Hit:
    """A hit whose caption says what is spoken."""
    cues = (Cue(0.2, length_s - 0.2, spoken),) if spoken else ()
    return Hit(Source.LIBRARY, slug, slug, spoken, script, length_s, film, cues, start_s=0.0, end_s=length_s, is_demo=is_demo)


class HeldEngine:
    """Takes note of what is handed over; the test itself drives it."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, int]] = []
        self.jobs: list[str] = []

    def start_run(self, run_id: str, attempt: int) -> None:
        self.runs.append((run_id, attempt))

    def start_job(self, job_id: str, attempt: int, queue: str) -> None:
        self.jobs.append(job_id)

    def withdraw_words(self, run_id: str) -> None:
        pass


class KeepTimes:
    """An aligner that finds nothing better."""

    def align(self, media_path: Path, words, *, language: str):  # type: ignore[no-untyped-def]
        assert media_path.is_file()
        return tuple(words)


@dataclass
class World:
    """Services and stages over one database, with the fakes at hand."""

    home_path: Path
    source: FakeClipSource = field(default_factory=FakeClipSource)
    judge: FakeJudge = field(default_factory=FakeJudge)
    transcriber: FakeTranscriber = field(default_factory=FakeTranscriber)
    refills: list[int] = field(default_factory=list)
    database_url: str = ""

    def __post_init__(self) -> None:
        self.database = Database(self.home_path, self.database_url)
        self.files = MediaFiles(str(self.home_path / "media"), self.home_path / "cache")
        self.bench = Bench(
            self.database,
            self.files,
            FakeMediaTools(),
            {Source.LIBRARY: self.source},
            {"fake": self.judge},
            {"fake": self.transcriber},
            own_scratch(self.home_path / "scratch"),
        )
        self.stages = self.bench.stages(WAYS, again="choose")
        self.work = Work(self.stages)
        self.engine = HeldEngine()
        self.control = RunControl(self.database, self.engine)  # type: ignore[arg-type]
        self.settings = Settings(self.database)
        self.vocabulary = Vocabulary(self.database)
        self.coverage = Coverage(self.database)
        self.review = Review(self.database, self.settings, self.refill)
        self.desk = Desk(self.database, self.files, self.review, self.settings, KeepTimes())
        self.discovery = Discovery(self.database, self.vocabulary, self.coverage, self.control, self._freeze)

    @staticmethod
    def _freeze(settings: RunSettings) -> RunSettings:
        return replace(settings, judge="fake", judge_model="fake-1", transcriber=settings.transcriber or "fake")

    def close(self) -> None:
        self.database.close()

    def refill(self, word_id: int) -> None:
        self.refills.append(word_id)
        queue_refill(self.database, word_id)

    def do_refills(self) -> int:
        """Do every refill job that is queued; how many there were."""
        with self.database.read() as connection:
            queued = select(jobs.c.job_id, jobs.c.attempt).where(jobs.c.kind == "refill", jobs.c.status == "queued")
            waiting = connection.execute(queued).all()
        work = Work(self.stages, {"refill": Refill(self.bench, self.stages).run_job})
        for job_id, attempt in waiting:
            steps.run_job(self.database, work, job_id, attempt)
        return len(waiting)

    def launch(self, *texts: str, bundle: str = "", **settings: object) -> str:
        choice = WordChoice(bundle=bundle) if bundle else WordChoice(words=texts)
        chosen = self.discovery.choose(choice, want=int(settings.get("want", 3)))  # type: ignore[call-overload]
        return self.discovery.launch(chosen, RunSettings(**settings), actor="mina")  # type: ignore[arg-type]

    def drive(self, run_id: str, *, only_steps: int | None = None) -> RunSummary:
        """Do the run's words in turns, a stage each, as a worker would; at most `only_steps` stages."""
        run = self.discovery.run(run_id)
        if steps.begin_run(self.database, self.work, run_id, run.attempt):
            left = only_steps if only_steps is not None else 100_000
            while left > 0 and (open_words := list(steps.open_words(self.database, run_id, 200))):
                left = self._round(run_id, open_words, left)
                if not steps.is_current(self.database, run_id, run.attempt):
                    return self.discovery.summary(run_id)
            if only_steps is None:
                steps.end_run(self.database, self.work, run_id, run.attempt)
        return self.discovery.summary(run_id)

    def _round(self, run_id: str, open_words: Sequence[OpenWord], left: int) -> int:
        for word in open_words:
            if left > 0:
                steps.take_step(self.database, self.work, run_id, word.word_id, word.attempt)
                left -= 1
        return left

    def discover(self, *texts: str, **settings: object) -> RunSummary:
        """Launch and drive to the end."""
        return self.drive(self.launch(*texts, **settings))

    def mapped(self) -> set[tuple[str, str]]:
        """(slug, word) of every mapping."""
        query = select(clips.c.slug, words.c.text).select_from(
            mappings.join(clips, clips.c.clip_id == mappings.c.clip_id).join(words, words.c.word_id == mappings.c.word_id)
        )
        with self.database.read() as connection:
            return {(row.slug, row.text) for row in connection.execute(query)}

    def mapping_id(self, slug: str, word: str) -> int:
        query = (
            select(mappings.c.mapping_id)
            .select_from(mappings.join(clips, clips.c.clip_id == mappings.c.clip_id).join(words, words.c.word_id == mappings.c.word_id))
            .where(clips.c.slug == slug, words.c.text == word)
        )
        with self.database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def word_states(self, run_id: str) -> dict[str, str]:
        return {row.word: str(row.state) for row in self.discovery.words(run_id)}
