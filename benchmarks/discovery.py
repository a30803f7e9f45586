"""A run at a scarce source through kills, and the same work one call after another.

`python -m benchmarks.discovery [--words 100 --clips 10 --want 3 --scale 5 --kills 5 --no-peer]`

A loopback ClipCafe whose clock runs `--scale` times faster (its window of a minute and the life of its links are so much shorter)
holds spoken clips of 2–4 s; a loopback OpenAI judges. ClipCafe takes 0.5 s and a judgement 1.5 s, divided by the scale. The program
is the one that a user has: a worker process that was started before the launch, `discover --detach`, and `kill -9` of the worker at
random moments while the run goes on; it is started again at once, as a supervisor would. Recognition is alignment of the captions,
on this machine's own clock: it is not scaled.

What the figures mean

* repeated: calls that a provider carried out more than once although the ledger has the answer. A provider counts every call; per
  operation, what it counted beyond the distinct calls may only be calls that were in doubt after a kill.
* in a window, 429: counted at ClipCafe when requests arrive, in a true sliding window.
* used while searching: of the requests that arrived from the first search to the last one, both included: the least time that the
  limit lets so many take (the first `limit` at once, as many a window later, and so on) over the time that they took. A second line
  takes out the time in which no worker was there, from a kill until the next worker beats. A third counts instead of timing: the
  requests over the most that may come in such a span, limit × (whole windows in it + 1); it jumps by a whole window's worth.
* floor: the least time in which all the run's requests can go out under the limit.
* first reviewable: from the start of the command `discover` until a mapping that a person can decide on is in the database.
* tokens: what the loopback OpenAI counted for the run, and for two calls a clip and word over the same hits, each with this
  program's own prompt, really sent. A leaner peer, which makes the second call only for clips that were fetched, is shown beside it.
* the peer's time: `--peer-words` words really done one call after another against providers of the same latencies, with the same
  recogniser in the same process, multiplied up to all words. It is never killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.peers.discovery_one_by_one import OneByOne, count_old_tokens
from core.rules.rates import RateLimit, fastest_s
from tests.loopback.clipcafe import LoopbackClipCafe
from tests.loopback.commands import ask, live_workers
from tests.loopback.openai import LoopbackOpenAI
from tests.loopback.paid_corpus import judge_words
from tests.loopback.paid_world import PaidFilms, PaidWorld, paid_world

CLIPCAFE_S, JUDGE_S = 0.5, 1.5
LIMIT = 10
REQUESTS_A_WORD = 2.0
"""About what a run makes at least: a search, and a download that serves several words. Kills come before so many."""
USED_WANTED, TOKENS_WANTED, FIRST_WANTED_S = 0.95, 0.6, 60.0
PROVIDERS_SHARE_S = 600.0
"""No run of any size is waited for longer than its floor and this."""


@dataclass
class Measured:
    """What was seen from outside while the run went on; moments by this process's monotonic clock."""

    launched_s: float
    ended_s: float = 0.0
    first_s: float | None = None
    dead: list[tuple[float, float]] = field(default_factory=list)
    """From each kill until the next worker beat."""
    busy_cores: float = 0.0
    """Of the whole machine, providers, this watching and whatever else runs there included."""
    worker_cpu_s: dict[int, float] = field(default_factory=dict)
    """By process: core-seconds of the workers and of what they started, as last seen."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=100)
    parser.add_argument("--clips", type=int, default=10, help="hits a word that are considered")
    parser.add_argument("--want", type=int, default=3)
    parser.add_argument("--scale", type=float, default=5.0)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    parser.add_argument("--peer-words", type=int, default=5)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--keep", type=Path, default=None, help="a folder in which workspace, films and logs stay")
    options = parser.parse_args()
    folder = Path(options.keep or tempfile.mkdtemp(prefix="wordreel-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return compare(options, folder)
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def compare(options: argparse.Namespace, folder: Path) -> int:
    scale = options.scale
    with paid_world(
        folder,
        n_words=options.words,
        clips_a_word=options.clips,
        scale=scale,
        limit=LIMIT,
        clipcafe_latency_s=CLIPCAFE_S / scale,
        judge_latency_s=JUDGE_S / scale,
    ) as world:
        say(f"{len(world.corpus)} clips for {options.words} words; their films are made first.")
        world.films.prepare(world.corpus)
        seen = run_through_kills(world, options)
        world.stop_workers()
        write_arrivals(world, seen, folder / "arrivals.json")
        world.check()
        figures = our_figures(world, seen, options)
        old_tokens, lean_tokens = count_old_tokens(searched(world, options.clips), fetched(world))
        figures += token_figures(world, old_tokens, lean_tokens)
        if not options.no_peer:
            figures += peer_figures(world, seen, options)
    for name, value, wanted, is_reached in figures:
        say(f"{name:<58}{value:>22}   {wanted:<14}{'' if is_reached is None else 'reached' if is_reached else 'MISSED'}")
    return 0 if all(is_reached is not False for *_, is_reached in figures) else 1


def say(line: str) -> None:
    print(line, flush=True)


# The run -------------------------------------------------------------------------------------------------------------


def run_through_kills(world: PaidWorld, options: argparse.Namespace) -> Measured:
    """Launch, watch, and kill the worker when so many requests have come; a moment of up to a second later, so that any call is hit."""
    chance = random.Random(options.seed)
    n_least = options.words * REQUESTS_A_WORD
    kills = sorted(chance.uniform(0.05, 0.95) * n_least for _ in range(options.kills))
    world.cli.json("vocab", "list")  # the workspace is there
    world.started_worker(scale=options.scale)
    busy_s, idle_s = cpu_seconds()
    seen = Measured(time.monotonic())
    arguments = ("--source", "clipcafe", "--want", str(options.want), "--max-videos", str(options.clips), "--detach")
    world.cli.json("discover", "--words", ",".join(world.words), *arguments)
    n_most = options.words * (1 + 3 * options.want)
    deadline_s = seen.launched_s + fastest_s(n_most, RateLimit(LIMIT, world.clipcafe.window_s)) + PROVIDERS_SHARE_S
    told_s = time.monotonic()
    while world.status() not in ("succeeded", "waiting_for_quota", "failed", "paused", "cancelled"):
        seen.worker_cpu_s |= cpu_of_sessions({process.pid for process in world.workers if process.poll() is None})
        if seen.first_s is None and world.n_reviewable():
            seen.first_s = time.monotonic()
        if kills and world.clipcafe.n_arrived() >= kills[0]:
            kills.pop(0)
            time.sleep(chance.random())
            seen.dead.append(kill_and_restart(world, options.scale))
        if time.monotonic() > told_s + 30:
            told_s = time.monotonic()
            ended = sum(state not in ("queued", "working") for state in world.states().values())
            say(f"{told_s - seen.launched_s:6.0f} s: {world.clipcafe.n_arrived()} requests, {ended} words ended, {len(seen.dead)} kills")
        if time.monotonic() > deadline_s:
            raise SystemExit(f"The run did not end in {deadline_s - seen.launched_s:.0f} s; it is {world.status()}.")
        time.sleep(0.1)
    seen.ended_s = time.monotonic()
    now_busy_s, now_idle_s = cpu_seconds()
    seen.busy_cores = (now_busy_s - busy_s) / max(1e-6, now_busy_s - busy_s + now_idle_s - idle_s) * (os.cpu_count() or 1)
    return seen


def kill_and_restart(world: PaidWorld, scale: float) -> tuple[float, float]:
    killed_s = time.monotonic()
    world.kill_worker()
    process = world.start_worker(scale=scale)
    while process.pid not in live_workers(world.home):
        if process.poll() is not None:
            raise SystemExit(f"A worker ended by itself: {world.log_path.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return killed_s, time.monotonic()


def write_arrivals(world: PaidWorld, seen: Measured, path: Path) -> None:
    """For a look at what came when, in seconds from the launch; it stays where `--keep` names a folder."""
    came = [(round(at_s - seen.launched_s, 3), kind) for at_s, kind in world.clipcafe.arrivals]
    judged = [round(one.at_s - seen.launched_s, 3) for one in world.openai.seen]
    dead = [(round(before - seen.launched_s, 3), round(after - seen.launched_s, 3)) for before, after in seen.dead]
    path.write_text(json.dumps({"clipcafe": came, "openai": judged, "dead": dead}))


def cpu_seconds() -> tuple[float, float]:
    """Busy and idle core-seconds of the machine since it started. Source: proc(5), /proc/stat."""
    ticks = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = ticks[3] + ticks[4]
    hertz = os.sysconf("SC_CLK_TCK")
    return (sum(ticks) - idle) / hertz, idle / hertz


def cpu_of_sessions(sessions: set[int]) -> dict[int, float]:
    """Core-seconds by process, of those that these session leaders started, themselves included. Source: proc(5), /proc/<pid>/stat."""
    found: dict[int, float] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) in sessions:
            found[int(path.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


# Figures -------------------------------------------------------------------------------------------------------------

Figure = tuple[str, str, str, bool | None]
"""Name, value, target, and whether it was reached; None where there is no target."""


def our_figures(world: PaidWorld, seen: Measured, options: argparse.Namespace) -> list[Figure]:
    clips = world.clipcafe
    limit = RateLimit(LIMIT, clips.window_s)
    ends = dict.fromkeys(("done", "none_found", "failed", "waiting_for_quota", "cancelled"), 0)
    for state in world.states().values():
        ends[state] = ends.get(state, 0) + 1
    n_repeated, n_doubt = repeated(world)
    used = used_while_searching(world, seen)
    dead_s = [after - before for before, after in seen.dead]
    took_s, floor_s = seen.ended_s - seen.launched_s, fastest_s(clips.n_arrived(), limit)
    first_s = None if seen.first_s is None else seen.first_s - seen.launched_s
    by_kind = ", ".join(f"{clips.n_arrived(kind)} {kind}" for kind in ("search", "link", "download"))
    return [
        ("words: " + ", ".join(f"{n} {name}" for name, n in ends.items() if n), str(options.words), "", None),
        ("clips in review", str(world.n_reviewable()), "", None),
        (f"requests to ClipCafe: {by_kind}", str(clips.n_arrived()), "", None),
        (f"kills; no worker was there for {sum(dead_s):.1f} s, at most {max(dead_s, default=0):.1f} s", str(len(seen.dead)), "", None),
        ("finished paid calls repeated", str(n_repeated), "0", n_repeated == 0),
        ("calls in doubt after the kills", str(n_doubt), "", None),
        (
            f"most requests in any {clips.window_s:g} s",
            str(clips.most_in_a_window()),
            f"at most {LIMIT}",
            clips.most_in_a_window() <= LIMIT,
        ),
        ("429 of our making", str(clips.n_429), "0", clips.n_429 == 0),
        (
            f"used while searching ({used.span_s:.0f} s), kills included",
            f"{used.timed:.1%}",
            f"{USED_WANTED:.0%}",
            used.timed >= USED_WANTED,
        ),
        ("used while searching, without the dead time", f"{used.timed_alive:.1%}", "", None),
        ("used while searching, by count", f"{used.counted:.1%}", "", None),
        ("longest pause between requests", f"{longest_pause_s(world, seen):.1f} s", "", None),
        (
            "first reviewable clip",
            "never" if first_s is None else f"{first_s:.1f} s",
            "60 s",
            first_s is not None and first_s <= FIRST_WANTED_S,
        ),
        ("time of the run", f"{took_s:.0f} s", "", None),
        ("the limiter's floor for its requests", f"{floor_s:.0f} s, × {took_s / max(floor_s, 1e-6):.2f}", "", None),
        ("cores that the workers used", f"{sum(seen.worker_cpu_s.values()) / took_s:.2f} of {os.cpu_count()}", "", None),
        ("cores busy with anything", f"{seen.busy_cores:.2f} of {os.cpu_count()}", "", None),
    ]


def repeated(world: PaidWorld) -> tuple[int, int]:
    """Calls that were carried out again beyond those that were in doubt, and those in doubt; by operation."""
    doubts = world.entries("in_doubt")
    calls: dict[str, list[int]] = {"search": [], "link": [], "download": [], "judge": []}
    for (operation, _), n in world.clipcafe.answered_calls.items():
        calls[operation].append(n)
    questions: dict[str, int] = {}
    for seen in world.openai.paid:
        question = str(seen.body.get("messages"))
        questions[question] = questions.get(question, 0) + 1
    calls["judge"] = list(questions.values())
    n_links_renewed = max(0, sum(calls["link"]) - len(calls["link"]))
    n_repeated = 0
    for operation, counts in calls.items():
        n_again = sum(counts) - len(counts) if operation != "link" else 0
        n_repeated += max(0, n_again - doubts.get(operation, 0))
    if n_links_renewed:
        say(f"{n_links_renewed} fresh links were asked for again: a link lost with its process or dead before its use is no answer.")
    return n_repeated, sum(doubts.values())


@dataclass(frozen=True)
class Use:
    """How much of the limit was used from the first search to the last."""

    timed: float
    timed_alive: float
    """Without the time in which no worker was there."""
    counted: float
    span_s: float


def used_while_searching(world: PaidWorld, seen: Measured) -> Use:
    searches = [at_s for at_s, kind in world.clipcafe.arrivals if kind == "search"]
    first_s, last_s = min(searches), max(searches)
    n_came, span_s = sum(first_s <= at_s <= last_s for at_s, _ in world.clipcafe.arrivals), last_s - first_s
    dead_s = sum(max(0.0, min(after, last_s) - max(before, first_s)) for before, after in seen.dead)
    window_s = world.clipcafe.window_s
    least_s = (n_came - 1) // LIMIT * window_s
    counted = n_came / (LIMIT * (int(span_s / window_s) + 1))
    return Use(least_s / span_s, least_s / (span_s - dead_s), counted, span_s)


def longest_pause_s(world: PaidWorld, seen: Measured) -> float:
    """Between two requests, where a worker was there all the time; more than a window is idleness of our own."""
    moments = sorted(at_s for at_s, _ in world.clipcafe.arrivals)
    alive = [(a, b) for a, b in pairwise(moments) if not any(before < b and after > a for before, after in seen.dead)]
    return max((b - a for a, b in alive), default=0.0)


def token_figures(world: PaidWorld, old_tokens: int, lean_tokens: int) -> list[Figure]:
    ours = sum(seen.tokens_in + seen.tokens_out for seen in world.openai.paid if seen.path == "/chat/completions")
    n_calls = sum(seen.path == "/chat/completions" for seen in world.openai.paid)
    ratio = ours / old_tokens
    return [
        (f"judge tokens, {n_calls} calls", f"{ours:,}", "", None),
        ("of two calls a clip and word", f"{old_tokens:,}: {ratio:.2f}", f"{TOKENS_WANTED}", ratio <= TOKENS_WANTED),
        ("of one call, and a second where it was fetched", f"{lean_tokens:,}: {ours / lean_tokens:.2f}", "", None),
    ]


def searched(world: PaidWorld, n_clips: int) -> Sequence[tuple[str, list]]:  # type: ignore[type-arg]
    return [(word, world.clipcafe.find(word)[:n_clips]) for word in world.words]


def fetched(world: PaidWorld) -> set[tuple[str, str]]:
    query = "SELECT c.slug, w.text FROM mappings m JOIN clips c USING (clip_id) JOIN words w USING (word_id)"
    return {(slug.removeprefix("clipcafe:"), word) for slug, word in ask(world.home, query)}


# The peer ------------------------------------------------------------------------------------------------------------


def peer_figures(world: PaidWorld, seen: Measured, options: argparse.Namespace) -> list[Figure]:
    """A few words, really, one call after another; the rest by multiplication."""
    from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
    from core.adapters.transcriber_aligned import AlignedTranscriber
    from core.adapters.transcriber_captions import CaptionsTranscriber

    recogniser = AlignedTranscriber(CaptionsTranscriber(), PocketSphinxAligner())
    words = world.words[: options.peer_words]
    latencies = CLIPCAFE_S / options.scale, JUDGE_S / options.scale
    with (
        LoopbackClipCafe(
            world.corpus, PaidFilms(world.folder / "films").bytes_of, scale=options.scale, limit=LIMIT, latency_s=latencies[0]
        ) as clips,
        LoopbackOpenAI(judge=judge_words, latency_s=latencies[1]) as model,
    ):
        peer = OneByOne(clips.url, model.url, LIMIT, clips.window_s, world.folder)
        started_s = time.monotonic()
        for word in words:
            peer.do(
                word,
                max_videos=options.clips,
                want=options.want,
                recognise=lambda path, cues: recogniser.transcribe(path, language="en", known_cues=cues),
            )
        took_s = time.monotonic() - started_s
        assert clips.n_429 == 0
    projected_s = took_s * options.words / len(words)
    ours_s = seen.ended_s - seen.launched_s
    return [
        (f"one call after another, {len(words)} words, {peer.n_requests} requests", f"{took_s:.0f} s", "", None),
        ("projected to all words, never killed", f"{projected_s:.0f} s, × {projected_s / ours_s:.2f}", "", None),
    ]


if __name__ == "__main__":
    raise SystemExit(main())
