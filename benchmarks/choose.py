"""Approved words of a scarce download quota: `python -m benchmarks.choose [--words 300] [--clips 20] [--quota 100] [--seeds 5]`.

The real choice (`core.pipeline.choose`) over a real SQLite store, with a run's words coming to it in threads as in a worker, in rolling
windows at ten requests a minute; search, judge and download are played by the texts of `benchmarks.choose_world`, whose docstring
says how they are drawn. Each clip is decided through the real review service as soon as it is there, so that the model learns
during the run. The peer takes each word's best-scored clip in turn from the same texts until the quota is used.

An approved word is one that has at least one approved clip in the end. The peer is counted twice: with the word that each clip was
searched for, which is what a pipeline that works word by word maps (the figure to reach, 2, stands beside this one); and with every
word that the curator would approve in the clips that it fetched, as if it mapped them all, as this program does. The second count
says how much is owed to the choice alone.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from sqlalchemy import select

from benchmarks.choose_world import DrawnClip, best_in_turn, draw_clips, measure
from core.model.clips import Evidence, EvidenceState, FilmFacts, ProposalStage, Scores, Source, Verdict
from core.model.reviews import DecisionKind, DecisionRequest
from core.model.runs import Stage
from core.pipeline import choose, steps
from core.pipeline.bench import Pace
from core.pipeline.work import WordEnd, WordStage, Work
from core.rules.rates import RateLimit
from core.store import codecs
from core.store import runs as run_rows
from core.store.choices import load_approval_model, n_choices
from core.store.clips import Judgement, load_clip, propose_mapping, save_proposals, set_clip
from core.store.tables import clips, ledger, mappings, media, proposals, run_clips
from core.timing import now
from tests.loopback.discovery_world import World

MEDIA = Path(os.environ.get("WORDREEL_TEST_MEDIA") or Path(__file__).resolve().parents[2] / "shared" / "media")
N_SLOTS = 40
FIGURE = 2.0
HEARD = Evidence(EvidenceState.HEARD)


@dataclass(frozen=True, slots=True)
class Result:
    """One seed."""

    ours: int
    """Words with an approved clip."""
    peer_searched: int
    """The peer's, of the words that its clips were searched for."""
    peer_all: int
    """The peer's, of all words in its clips."""
    mappings_ours: int
    mappings_peer: int
    n_downloads: int
    n_windows: int
    expected: float
    elapsed_s: float


class ChooseWorld:
    """A workspace in which a run's words have been shortlisted, and whose downloads and decisions are played."""

    def __init__(self, home_path: Path, drawn: Sequence[DrawnClip], n_words: int, n_listed: int) -> None:
        self.world = World(home_path)
        self.drawn = drawn
        pace = Pace(RateLimit(10, 60.0), 300.0, lambda: None, lambda: datetime(2030, 1, 1, tzinfo=UTC))
        self.world.bench._pace_of = lambda _source: pace
        self.texts = [f"word{_letters(number)}" for number in range(n_listed)]
        self.world.vocabulary.import_list(("word\n" + "\n".join(self.texts)).encode(), exam="toefl")
        with self.world.database.read() as connection:
            ids = {word.text: word_id for word_id, word in self.world.bench.vocabulary(connection, is_demo=False).words.items()}
        self.word_ids = [ids[text] for text in self.texts]
        self.number_of = {word_id: number for number, word_id in enumerate(self.word_ids)}
        self.n_words = n_words

    def launch(self, quota: int) -> str:
        """A run over the first words, with all clips shortlisted."""
        run_id = self.world.launch(*self.texts[: self.n_words], want=3, max_downloads=quota)
        at = now()
        empty = {"script": "", "cues": [], "metadata": {}, "is_demo": False, "created_at": at, "start_s": 0.0, "end_s": 5.0}
        films = {one.film: codecs.to_json(FilmFacts(title=one.film)) for one in self.drawn}
        rows = [
            {
                "clip_id": one.number + 1, "slug": f"clip-{one.number}", "source": Source.CLIPCAFE, "line_key": f"line-{one.number}",
                "title": f"clip-{one.number}", "film": films[one.film], "film_title": one.film, "spoken": "", **empty,
            }
            for one in self.drawn
        ]  # fmt: skip
        with self.world.database.write() as connection:
            connection.execute(clips.insert(), rows)
            connection.execute(proposals.insert(), [row for one in self.drawn for row in self._shortlisted(one, run_id, at)])
            waiting = [one for one in self.drawn if one.word(one.found_for) is not None]
            connection.execute(
                run_clips.insert(),
                [
                    {
                        "run_id": run_id, "clip_id": one.number + 1, "word_id": self.word_ids[one.found_for], "stage": Stage.SHORTLIST,
                        "outcome": "waiting", "updated_at": at,
                    }
                    for one in waiting
                ],
            )  # fmt: skip
        return run_id

    def _shortlisted(self, one: DrawnClip, run_id: str, at: datetime) -> list[dict[str, object]]:
        return [
            {
                "clip_id": one.number + 1, "word_id": self.word_ids[word.word], "stage": ProposalStage.SHORTLIST, "input_key": "drawn",
                "judge": "drawn", "model": "", "prompt_version": "", "education": word.score, "context": word.score,
                "relevance": word.score, "reason": "", "difficulty": "", "evidence_state": EvidenceState.CAPTIONED, "evidence": {},
                "features": [], "tokens": 0, "cost_usd": 0.0, "run_id": run_id, "created_at": at,
            }
            for word in one.words
        ]  # fmt: skip

    def work_through(self, run_id: str) -> None:
        """As a worker: the words that are open, in their order, in threads."""
        stages = [
            WordStage("shortlist", lambda _run_id, _word_id: None),
            WordStage("choose", partial(choose.run_choose, self.world.bench)),
            WordStage("fetch", self._land, then="choose"),
        ]
        work, database = Work(stages), self.world.database
        run = self.world.discovery.run(run_id)
        steps.begin_run(database, work, run_id, run.attempt)
        begun: set[tuple[int, int]] = set()

        def word(word_id: int, attempt: int) -> None:
            while steps.take_step(database, work, run_id, word_id, attempt):
                pass

        with ThreadPoolExecutor(N_SLOTS) as pool:
            while still_open := steps.open_words(database, run_id, 200):
                for one in still_open:
                    if (one.word_id, one.attempt) not in begun:
                        begun.add((one.word_id, one.attempt))
                        pool.submit(word, one.word_id, one.attempt)
                time.sleep(0.1)
        steps.end_run(database, work, run_id, run.attempt)

    def _land(self, run_id: str, word_id: int) -> WordEnd | None:
        """Fetch to score for what was chosen, then the curator's decisions."""
        with self.world.database.read() as connection:
            chosen = [row[0] for row in run_rows.clips_of_word(connection, run_id, word_id) if row[2] == "chosen"]
        for clip_id in chosen:
            for mapping_id, is_approved in self._score(run_id, word_id, clip_id):
                kind = DecisionKind.APPROVE if is_approved else DecisionKind.REJECT
                self.world.review.decide(DecisionRequest(mapping_id, kind, "curator", f"decision {mapping_id}"))
        return None

    def _score(self, run_id: str, word_id: int, clip_id: int) -> list[tuple[int, bool]]:
        drawn, media_id = self.drawn[clip_id - 1], f"{clip_id:064d}"
        verdicts = {
            self.word_ids[word.word]: Verdict(self.texts[word.word], Scores(word.score, word.score, word.score), "", "", ())
            for word in drawn.words
        }
        approved = {self.word_ids[word.word]: word.is_approved for word in drawn.words}
        judgement = Judgement(ProposalStage.FINAL, "drawn", "drawn", "", "", run_id)
        with self.world.database.write() as connection:
            row = {"call_key": media_id, "attempt": 1, "provider": "clipcafe", "operation": "download", "model": "", "prompt_version": ""}
            connection.execute(ledger.insert().values(**row, state="done", run_id=run_id, worker_id="played", intended_at=now()))
            facts = {"size_bytes": 1, "container": "mp4", "duration_s": 5.0, "facts": {}, "is_stored": True, "created_at": now()}
            connection.execute(media.insert().values(media_id=media_id, **facts))
            set_clip(connection, clip_id, media_id=media_id)
            clip = load_clip(connection, clip_id)
            rows = [(of_word, verdict, HEARD) for of_word, verdict in verdicts.items()]
            made = save_proposals(connection, clip_id, judgement, rows, tokens=0, cost_usd=0.0)
            mapped = [(propose_mapping(connection, clip, proposal, run_id), approved[of_word]) for of_word, proposal in made.items()]
            run_rows.set_run_clip(connection, run_id, word_id, clip_id, stage=Stage.SCORE, outcome="ok")
        return mapped


def _letters(number: int) -> str:
    """A number as letters, since a list's words have no digits."""
    return "".join(chr(ord("a") + int(digit)) for digit in f"{number:05d}")


def run_seed(seed: int, arguments: argparse.Namespace) -> Result:
    """The same texts and the same curator for both."""
    drawn = draw_clips(seed, n_words=arguments.words, n_clips=arguments.clips, n_listed=arguments.listed, fall=arguments.fall)
    peer = best_in_turn(drawn, arguments.words, arguments.quota)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="choose-") as folder:
        made = ChooseWorld(Path(folder) / "home", drawn, arguments.words, arguments.listed)
        run_id = made.launch(arguments.quota)
        made.work_through(run_id)
        failed = made.world.discovery.summary(run_id).failed
        if failed:
            raise SystemExit(f"{len(failed)} words failed, the first: {failed[0]}")
        with made.world.database.read() as connection:
            approved = list(connection.execute(select(mappings.c.word_id).where(mappings.c.state == "approved")).scalars())
            n_windows, n_chosen, expected = n_choices(connection, run_id)
            n_downloads = len(list(connection.execute(select(ledger.c.entry_id))))
            assert n_chosen == n_downloads <= arguments.quota, f"{n_chosen} chosen, {n_downloads} downloaded"
            model = load_approval_model(connection)
        made.world.close()
    if arguments.verbose:
        print(model.says, sorted((factor.name, factor.kind, round(factor.ratio, 2), factor.n) for factor in model.found.values())[:14])
    fetched = [(clip.found_for, word) for clip in peer for word in clip.words if word.is_approved]
    return Result(
        len(set(approved)),
        len({word.word for found_for, word in fetched if word.word == found_for}),
        len({word.word for _, word in fetched}),
        len(approved),
        len(fetched),
        n_downloads,
        n_windows,
        expected,
        time.monotonic() - began,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--quota", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--listed", type=int, default=300, help="words on all lists; more than --words: the others are outside the run")
    parser.add_argument("--fall", type=float, default=0.9, help="what each further good word leaves of the curator's approval")
    parser.add_argument("--measure", action="store_true", help="count list words in the utterances of the test media, and stop")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    if arguments.measure:
        print(measure(MEDIA))
        return
    print(
        f"{arguments.words} words of {arguments.clips} clips, {arguments.listed} on the lists, {arguments.quota} downloads, "
        f"approval × {arguments.fall} for each further word"
    )
    head = f"{'seed':>4} {'ours':>6} {'peer':>6} {'ratio':>7} {'peer, all words':>17} {'ratio':>7}"
    print(f"{head}   approved mappings   downloads  windows  expected  s")
    results = []
    for seed in range(arguments.seeds):
        one = run_seed(seed, arguments)
        results.append(one)
        print(_line(str(seed), one), flush=True)
    searched = statistics.median(one.ours / one.peer_searched for one in results)
    every = statistics.median(one.ours / one.peer_all for one in results)
    verdict = "reached" if searched >= FIGURE else "not reached"
    print(f"Median: {searched:.2f} times the words that the peer's clips were searched for (figure {FIGURE:g}: {verdict}),")
    print(f"        {every:.2f} times all words that the peer's clips would bring if each were mapped: what the choice alone brings.")


def _line(name: str, one: Result) -> str:
    return (
        f"{name:>4} {one.ours:>6} {one.peer_searched:>6} {one.ours / one.peer_searched:>6.2f}x {one.peer_all:>17} "
        f"{one.ours / one.peer_all:>6.2f}x   {one.mappings_ours:>8} : {one.mappings_peer:<6}   {one.n_downloads:>9}  {one.n_windows:>7}  "
        f"{one.expected:>8.1f}  {one.elapsed_s:.0f}"
    )


if __name__ == "__main__":
    main()
