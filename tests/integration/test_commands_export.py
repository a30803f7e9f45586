"""`export` as an outside script runs it, against a backend that does what backends do."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.export_world import World
from tests.loopback.backend import LoopbackBackend, Misbehaviour
from tests.loopback.commands import Cli, ask, copy_program, is_alive, live_workers, wait_until
from tests.loopback.invariants import check_no_secret

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]

TOKEN = "secret-token"
"""What the misbehaving backend of these tests also puts into its answers."""
WORDS = {"lantern-1": "refer", "lantern-2": "borrow", "lantern-3": "reveal"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def cli(program: Path, tmp_path: Path) -> Cli:
    """Three approved clips, one with strong language, one of the demo, one that is undecided."""
    world = World(tmp_path / "home")
    world.approved("oath", "They damn the fucking manual.", "manual")
    world.approved("demo-1", "They whisper it.", "whisper", is_demo=True)
    world.mapping(world.clip("undecided", "They lend it."), "lend")
    for slug, word in WORDS.items():
        world.approved(slug, f"They {word} it.", word)
    world.close()
    return Cli(program, tmp_path / "home", {"BACKEND_TOKEN": TOKEN})


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LoopbackBackend]:
    with LoopbackBackend(tmp_path / "backend") as server:
        yield server


def held_by(backend: LoopbackBackend) -> Counter[tuple[str, str]]:
    """(clip's slug, word) of each live mapping at the backend, with how often it is there."""
    query = """SELECT v.name, w.word FROM word_to_video w JOIN videos v ON v.id = w.video_id WHERE w.relevance_score > 0"""
    with closing(sqlite3.connect(f"{backend.backend.path.as_uri()}?mode=ro", uri=True, timeout=20)) as connection:
        return Counter((name.rpartition("-")[0], word) for name, word in connection.execute(query))


def sent_slugs(backend: LoopbackBackend) -> list[str]:
    return [slug for seen in backend.uploads for slug in seen.slugs]


def by_slug(found: dict) -> dict[str, dict]:
    return {item["slug"]: item for item in found["items"]}


def test_a_new_host_needs_yes_then_everything_goes_once_and_an_undo_waits_to_be_retracted(cli, backend):
    command = ("export", "--backend-url", backend.url)
    shown = cli.json(*command, "--dry-run")
    n_bytes = shown["would_send"]["bytes"]
    error = cli.refusal(*command)
    assert error["code"] == "refused" and "--yes" in error["hint"]
    assert f"127.0.0.1:{backend.port}: 3 clips, {n_bytes:,} bytes" in error["message"]
    plain = cli.run(*command)
    assert (plain.returncode, plain.stdout) == (2, "") and "--yes" in plain.stderr
    assert backend.seen == []
    assert ask(cli.home, "SELECT count(*) FROM export_batches") == ask(cli.home, "SELECT count(*) FROM jobs") == [(0,)]
    assert not (cli.home / "logs").exists()  # no worker was started for what is refused

    sent = cli.json(*command, "--yes")
    assert set(sent) == {"batch_id", "target", "source_id", "items", "sent", "failed", "skipped"}
    assert (sent["target"], sent["sent"], sent["failed"], sent["skipped"]) == (f"127.0.0.1:{backend.port}", 3, 0, 2)
    items = by_slug(sent)
    assert {frozenset(item) for item in sent["items"]} == {frozenset(("slug", "name", "status", "video_id", "mappings", "error"))}
    assert {slug: items[slug]["status"] for slug in WORDS} == dict.fromkeys(WORDS, "created")
    assert {slug: (items[slug]["status"], items[slug]["video_id"]) for slug in ("oath", "demo-1")} == dict.fromkeys(
        ("oath", "demo-1"), ("skipped", None)
    )
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))
    assert {seen.headers["authorization"] for seen in backend.seen} == {f"Bearer {TOKEN}"}

    again = cli.json(*command)  # confirmed once is enough
    assert (again["sent"], again["failed"]) == (0, 0) and len(backend.uploads) == 1
    loud = cli.json(*command, "--allow-strong-language")
    assert by_slug(loud)["oath"]["status"] == "created" and sent_slugs(backend).count("oath") == 1

    for batch_id in ("1", sent["batch_id"]):
        verified = cli.json("export", "verify", batch_id)
        assert (verified["batch_id"], verified["verified"], verified["not_verified"]) == (sent["batch_id"], 3, 0)
    undone = cli.json("review", "undo")
    assert undone["state"] == "pending_retraction"
    waiting = [item for item in cli.json("review", "queue", "--all")["items"] if item["state"] == "pending_retraction"]
    assert [(item["mapping_id"], item["word"]) for item in waiting] == [(undone["mapping_id"], "reveal")]
    cli.json(*command)
    assert ("lantern-3", "reveal") not in held_by(backend)
    gone = cli.json("export", "retract", str(undone["mapping_id"]), "--backend-url", backend.url)
    assert [(row["mapping_id"], row["word"]) for row in gone["retracted"]] == [(undone["mapping_id"], "reveal")]
    assert cli.refusal("export", "retract", str(undone["mapping_id"]), "--backend-url", backend.url)["code"] == "not_found"
    assert [item for item in cli.json("review", "queue", "--all")["items"] if item["state"] == "pending_retraction"] == []
    check_no_secret(cli.home, [TOKEN])


def test_one_clip_that_the_backend_refuses_leaves_the_others_and_the_same_command_sends_just_it(cli, backend):
    command = ("export", "--backend-url", backend.url, "--yes")
    backend.refused = {"lantern-2"}
    done = cli.json(*command, code=3)
    items = by_slug(done)
    assert (done["sent"], done["failed"]) == (2, 1)
    assert (items["lantern-2"]["status"], items["lantern-2"]["video_id"]) == ("failed", None)
    assert "bad item lantern-2" in items["lantern-2"]["error"]
    assert {items[slug]["error"] for slug in ("lantern-1", "lantern-3")} == {""}
    backend.refused, before = set(), len(backend.uploads)
    again = cli.json(*command)
    assert (again["sent"], again["failed"]) == (1, 0)
    assert [seen.slugs for seen in backend.uploads[before:]] == [("lantern-2",)]
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))
    check_no_secret(cli.home, [TOKEN])


def test_an_answer_that_is_cut_or_echoes_the_token_ends_with_each_clip_once(cli, backend):
    command = ("export", "--backend-url", backend.url, "--yes")
    backend.misbehaviours.extend([Misbehaviour.CUT_AFTER, Misbehaviour.ERROR_500])
    done = cli.run(*command, "--json")
    assert TOKEN not in done.stdout + done.stderr
    assert done.returncode in (0, 3), done
    assert cli.json(*command)["failed"] == 0
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))
    check_no_secret(cli.home, [TOKEN])


@pytest.mark.crash
def test_a_command_killed_while_the_backend_answers_resumes_its_batch(cli, backend):
    command = ("export", "--backend-url", backend.url, "--yes")
    backend.misbehaviours.append(Misbehaviour.SILENT_AFTER)
    backend.silence_s = 30
    process = cli.start(*command, "--json")
    wait_until(lambda: [seen for seen in backend.uploads if seen.slugs], "the first request")
    worker = live_workers(cli.home)
    assert len(worker) == 1
    process.kill()
    process.communicate(timeout=10)
    wait_until(lambda: not any(map(is_alive, worker)), "the end of the command's worker", within_s=15)
    assert "is not finished" in cli.json(*command, "--dry-run")["notes"][0]
    began = time.monotonic()
    done = cli.json(*command)
    assert time.monotonic() - began < 45  # the dead worker's lease is not waited for
    assert [(done["batch_id"],)] == ask(cli.home, "SELECT batch_id FROM export_batches")
    assert (done["sent"], done["failed"]) == (3, 0)
    assert ["goes on with it as it was frozen" in note for note in done["notes"]] == [True]
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))
    check_no_secret(cli.home, [TOKEN])


@pytest.mark.crash
def test_a_killed_worker_is_replaced_while_the_command_waits(cli, backend):
    backend.misbehaviours.append(Misbehaviour.SILENT_AFTER)
    backend.silence_s = 30
    process = cli.start("export", "--backend-url", backend.url, "--yes", "--json")
    try:
        wait_until(lambda: [seen for seen in backend.uploads if seen.slugs], "the first request")
        os.kill(live_workers(cli.home)[0], signal.SIGKILL)
        out, err = process.communicate(timeout=90)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert '"sent": 3' in out
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))


def test_the_same_command_twice_at_once_sends_each_clip_once(cli, backend):
    both = [cli.start("export", "--backend-url", backend.url, "--yes", "--json") for _ in range(2)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in both]
    assert [(err, code) for _, err, code in ended] == [("", 0), ("", 0)]
    assert held_by(backend) == Counter(dict.fromkeys(WORDS.items(), 1))
    assert sorted(slug for slug in sent_slugs(backend) if slug in WORDS) == sorted(WORDS)


def test_without_a_backend_the_practice_one_takes_the_demo_too_and_asks_nothing(cli):
    before = (cli.home / "app.db").read_bytes()
    shown = cli.json("export", "--dry-run")
    assert (shown["target"], shown["batch_id"], shown["would_send"]["clips"]) == ("practice", None, 4)
    assert (cli.home / "app.db").read_bytes() == before
    sent = cli.json("export", "--bundle", "") | {"batch_id": ""}
    assert {item["slug"] for item in sent["items"] if item["status"] == "created"} == {*WORDS, "demo-1"}
    assert by_slug(sent)["oath"]["status"] == "skipped"


def test_nobody_at_the_address_fails_each_clip_with_the_reason_and_nothing_is_lost(cli, backend):
    done = cli.json("export", "--backend-url", "http://127.0.0.1:9", "--yes", code=3)
    assert (done["sent"], done["failed"]) == (0, 3)
    assert all(item["error"] for item in done["items"] if item["status"] == "failed")
    assert cli.json("export", "--backend-url", backend.url, "--yes")["sent"] == 3
