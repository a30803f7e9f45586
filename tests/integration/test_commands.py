"""Every command as an outside script meets it: what stands on which stream, exit codes, faults, and interruption."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import typer.main

import run
from core.model.reviews import RejectReason
from core.store.database import Database
from core.store.media_files import MediaFiles
from tests.conftest import REPO_PATH
from tests.integration.export_world import World
from tests.loopback.commands import Cli, ask, copy_program, is_alive, live_workers, short_film, wait_until, worker_of
from tests.loopback.invariants import check_all
from ui.cli.main import app

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

RUN_KEYS = {
    "run_id", "status", "words", "failed", "clips", "mappings", "not_heard", "searches", "downloads", "paid_calls", "in_doubt",
    "repeated_calls", "cost_usd", "elapsed_s", "is_at_least", "reason", "notes", "plan",
}  # fmt: skip
WORD_KEYS = {"total", "done", "none_found", "failed", "waiting_for_quota", "cancelled"}
QUEUE_KEYS = {"mapping_id", "clip_id", "slug", "word", "relevance", "education", "context", "evidence", "state", "version"}
LARGE = "99999999999999999999"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with clips that wait, one approved, and a demo clip; to be copied."""
    home = tmp_path_factory.mktemp("decided") / "home"
    world = World(home)
    world.bundle("short", "refer", "borrow", "reveal")
    world.approved("lantern-1", "They refer to it.", "refer")
    world.mapping(world.clip("lantern-2", "They borrow it."), "borrow")
    world.mapping(world.clip("lantern-3", "They reveal it."), "reveal")
    world.approved("demo-1", "They whisper it.", "whisper", is_demo=True)
    world.close()
    return home


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory, program: Path, media_path: Path) -> Path:
    """A workspace with one film of 12 seconds taken in; to be copied."""
    folder = tmp_path_factory.mktemp("filmed")
    taken = Cli(program, folder / "home").json("ingest", str(short_film(media_path, folder)))
    assert (taken["ingested"], taken["failed"]) == (1, 0)
    return folder / "home"


def copy_of(home: Path, program: Path, tmp_path: Path) -> Cli:
    shutil.copytree(home, tmp_path / "home")
    return Cli(program, tmp_path / "home")


def leaves(group: object, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Every command that can be run, by its words."""
    found: dict[tuple[str, ...], object] = {path: group} if path and getattr(group, "invoke_without_command", True) else {}
    for name, command in getattr(group, "commands", {}).items():
        found |= leaves(command, (*path, name))
    return found


# The tree ------------------------------------------------------------------------------------------------------------


def test_every_command_takes_json_and_is_named_by_both_helps(program, tmp_path):
    tree = typer.main.get_command(app)
    found = leaves(tree)
    assert len(found) >= 30
    assert [" ".join(path) for path, command in found.items() if "--json" not in {o for p in command.params for o in p.opts}] == []
    shown = Cli(program, tmp_path / "home").run("--help")
    environ = {**os.environ, "WORDREEL_VENV": str(tmp_path / "none")}
    static = subprocess.run([sys.executable, str(REPO_PATH / "run.py"), "--help"], env=environ, capture_output=True, text=True, check=True)
    assert (shown.returncode, shown.stderr, static.stderr, static.stdout) == (0, "", "", run.USAGE)
    own = {line.split("  ")[1].strip() for line in run.USAGE.splitlines() if line.startswith("  ")}
    offered = {name for line in own for name in line.split(", ")}
    assert set(tree.commands) - offered == set()
    assert offered - set(tree.commands) == set(run.OWN_USAGE)
    assert [name for name in tree.commands if f" {name} " not in shown.stdout] == []
    assert not (tmp_path / "home").exists()
    unbroken = " ".join(shown.stdout.split())
    assert [name for name in run.OWN_USAGE if f"python run.py {name}" not in unbroken] == []  # the two that run.py answers itself


def test_help_speaks_of_what_a_person_types(program, tmp_path):
    cli = Cli(program, tmp_path / "home")
    for path in ((), ("serve",), ("vocab", "import"), ("review", "decide")):
        shown = cli.run(*path, "--help").stdout
        assert shown.split("Usage: ", 1)[1].startswith(" ".join(("python run.py", *path))), path
        assert "ui.cli" not in shown and "default: 0" not in shown
    assert [reason for reason in RejectReason if reason not in shown] == []
    alone = cli.run("vocab")
    told = ["Name one of these commands.", "`python run.py vocab --help` shows what it takes."]
    assert (alone.returncode, alone.stderr.splitlines()) == (2, told)
    assert "import" in alone.stdout


# Streams and errors --------------------------------------------------------------------------------------------------

WRONG = [
    (("nosuch",), "usage"),
    (("vocab", "import", "nowhere.csv", "--exam", "x"), "not_found"),
    (("vocab", "import", "core/__init__.py"), "usage"),
    (("vocab", "import", "core/__init__.py", "--exam", "x", "--level", "hard"), "invalid_input"),
    (("vocab", "import", "core/__init__.py", "--exam", "demo toefl"), "invalid_input"),
    (("discover",), "invalid_input"),
    (("discover", "--words", " , ,"), "invalid_input"),
    (("discover", "--csv", "nowhere.csv"), "not_found"),
    (("discover", "--bundle", "nosuch"), "not_found"),
    (("discover", "--gaps", "nosuch", "--plan"), "not_found"),
    (("discover", "--words", "refer", "--source", "tape"), "invalid_input"),
    (("discover", "--words", "refer", "--source", "clipcafe"), "invalid_input"),
    (("discover", "--words", "refer", "--max-cost", "nan"), "usage"),
    (("discover", "--words", "refer", "--max-videos", LARGE), "invalid_input"),
    (("discover", "--words", "refer", "--want", "21"), "usage"),
    (("discover", "--words", "refer", "--max-cost", "inf", "--plan"), "invalid_input"),
    (("discover", "--words", "refer", "--max-cost", "1e300"), "invalid_input"),
    *(((("runs", verb, "7")), "not_found") for verb in ("show", "cancel", "retry")),
    (("runs", "show", LARGE), "not_found"),
    (("review", "decide", "999", "approve"), "not_found"),
    (("review", "decide", LARGE, "approve"), "usage"),
    (("review", "decide", "2", "love"), "invalid_input"),
    (("review", "decide", "2", "approve", "--score", "nan"), "invalid_input"),
    (("review", "decide", "2", "approve", "--version", "5"), "conflict"),
    (("review", "decide", "2", "flag", "--note", "\udcff"), "invalid_input"),
    (("review", "queue", "--bundle", "nosuch"), "not_found"),
    (("coverage", "--bundle", "nosuch"), "not_found"),
    (("export", "--backend-url", "nowhere"), "not_found"),
    (("export", "--backend-url", "http://mina:hunter22@127.0.0.1:9/"), "invalid_input"),
    (("export", "verify", "3"), "not_found"),
    (("export", "retract", "3"), "not_found"),
    (("ingest", "nowhere"), "not_found"),
    (("queue", "file-status", "nowhere.mp4"), "not_found"),
    (("queue", "cancel", "nosuch"), "not_found"),
    (("serve", "--port", "0"), "usage"),
    (("worker", "--queues", "nosuch"), "invalid_input"),
    (("serve", "--host", "0.0.0.0"), "refused"),
    (("restore", "nowhere"), "invalid_input"),
    (("restore", "core"), "invalid_input"),
]


def test_a_command_that_cannot_be_done_says_so_in_one_object_and_changes_nothing(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    held = """SELECT (SELECT group_concat(state || version) FROM mappings), (SELECT count(*) FROM words), (SELECT count(*) FROM runs),
        (SELECT count(*) FROM jobs), (SELECT count(*) FROM export_batches)"""
    before = ask(cli.home, held)
    with ThreadPoolExecutor(2) as two:
        errors = list(two.map(lambda wrong: cli.refusal(*wrong[0]), WRONG))
    assert [(" ".join(wrong), error["code"]) for (wrong, _), error in zip(WRONG, errors, strict=True)] == [
        (" ".join(wrong), code) for wrong, code in WRONG
    ]
    assert [" ".join(wrong) for (wrong, _), error in zip(WRONG, errors, strict=True) if not error["hint"]] == []
    by_command = {" ".join(wrong): error for (wrong, _), error in zip(WRONG, errors, strict=True)}
    assert by_command["discover --words refer --want 21"]["hint"] == "`python run.py discover --help` shows what it takes."
    assert by_command["nosuch"]["hint"] == "`python run.py --help` shows what it takes."
    assert by_command["queue cancel nosuch"]["message"] == "There is no job and no run 'nosuch'."
    assert not [error for error in errors if "hunter22" in str(error)]
    assert ask(cli.home, held) == before
    assert not (cli.home / "logs").exists()  # none of them was worth a worker


def test_settings_that_cannot_be_used_are_all_named_and_a_bug_is_shown_without_secrets(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    error = cli.with_settings(PORT="abc", JUDGE="oracle", BACKEND_TOKEN="s3cret-s3cret").refusal("vocab", "list")
    assert error["code"] == "config"
    assert "PORT" in error["message"] and "JUDGE" in error["message"] and "s3cret" not in str(error)
    broken = copy_program(tmp_path / "broken")
    (broken / "core" / "services" / "coverage.py").write_text("import os\nraise ZeroDivisionError(os.environ['BACKEND_TOKEN'])\n")
    done = Cli(broken, cli.home, {"BACKEND_TOKEN": "s3cret-s3cret"}).run("vocab", "list", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert json.loads(done.stderr.splitlines()[-1])["code"] == "bug"
    assert "ZeroDivisionError" in done.stderr and "s3cret" not in done.stderr


def test_for_people_an_error_is_two_lines_and_a_reader_that_leaves_is_no_fault(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    done = cli.run("runs", "show", "7")
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 2)
    process = cli.start("review", "queue", "--all")
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    shown = cli.with_settings(PYTHONIOENCODING="ascii").run("doctor")
    assert shown.returncode == 0 and "\\u2192" in shown.stdout  # a terminal without the arrow shows what it can


# Lists ---------------------------------------------------------------------------------------------------------------


def test_vocab_import_reports_every_row_and_a_dry_run_writes_nothing(program, tmp_path):
    cli = Cli(program, tmp_path / "home")
    listed = tmp_path / "mine.csv"
    listed.write_bytes(b"\xef\xbb\xbfword,level\r\nrefer,beginner\r\nReveal.,advanced\r\nREFER,beginner\r\n1234,beginner\r\n,,\r\n")
    shown = cli.json("vocab", "import", str(listed), "--exam", "mine", "--dry-run")
    assert cli.json("vocab", "list") == {"bundles": []}
    taken = cli.json("vocab", "import", str(listed), "--exam", "mine")
    assert shown == {**taken, "difference": {"added": 2, "removed": 0, "moved": 0}}
    assert set(taken) == {"exam", "accepted", "duplicates", "changed", "refused", "bundles"}
    assert (taken["exam"], taken["accepted"], taken["duplicates"]) == ("mine", 2, 1)
    assert {"line": 3, "from": "Reveal.", "to": "Reveal"} in taken["changed"]
    assert [(row["line"], set(row)) for row in taken["refused"] if row["line"] == 5] == [(5, {"line", "text", "reason"})]
    assert taken["bundles"] == {"mine_beginner": 1, "mine_intermediate": 1, "mine_advanced": 2}
    bundles = {row["bundle"]: row["words"] for row in cli.json("vocab", "list")["bundles"]}
    assert bundles == taken["bundles"]
    film = tmp_path / "film.mp4"
    film.write_bytes(bytes(range(256)) * 40)
    assert cli.refusal("vocab", "import", str(film), "--exam", "mine")["code"] == "invalid_input"
    assert {row["bundle"]: row["words"] for row in cli.json("vocab", "list")["bundles"]} == bundles


def test_coverage_counts_what_has_at_least_so_many(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    rows = {row["bundle"]: row for row in cli.json("coverage", "--at-least", "2")["bundles"]}
    assert set(rows["short"]) >= {"bundle", "words", "approved", "live", "in_review", "not_searched", "none_found", "exhausted"}
    assert (rows["short"]["words"], rows["short"]["approved"]) == (3, {"1": 1, "2": 0, "3": 0})
    assert cli.json("coverage", "--bundle", "short")["bundles"][0]["approved"] == {"1": 1, "3": 0}


def test_doctor_tells_what_is_there_and_a_damaged_database_is_a_finding(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    found = cli.json("doctor")
    assert set(found) == {"ok", "providers", "checks"} and found["ok"] is True
    assert {"judge", "transcriber", "source", "target"} <= set(found["providers"])
    assert {frozenset(check) for check in found["checks"]} == {frozenset(("name", "ok", "detail", "fix"))}
    names = {check["name"] for check in found["checks"]}
    assert {"python", "sqlite", "ffmpeg", "workspace", "disk", "database", "backup", "workers", "port"} <= names
    missing = cli.with_settings(WHISPER_MODEL=str(tmp_path / "none"), BACKEND_URL="http://127.0.0.1:9").json("doctor", code=2)
    bad = {check["name"]: check for check in missing["checks"] if not check["ok"]}
    assert set(bad) == {"whisper", "backend"} and all(check["fix"] for check in bad.values())
    with (cli.home / "app.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"garbage" * 600)
    broken = cli.json("doctor", code=2)
    assert [check["name"] for check in broken["checks"] if not check["ok"]] == ["database"]
    assert cli.refusal("vocab", "list")["code"] == "database_corrupt"


def test_a_damaged_backup_is_named_by_doctor_and_refused_by_restore_with_the_same_reason(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    made = Path(cli.json("backup", "--without-media")["path"])
    (made / "manifest.json").write_text("{", encoding="utf-8")
    found = cli.json("doctor")
    [damaged] = [check for check in found["checks"] if check["name"] == "damaged backup"]
    assert found["ok"] is True and str(made) in damaged["detail"] and damaged["fix"]
    refused = cli.refusal("restore", str(made), "--overwrite")
    assert (refused["code"], refused["message"]) == ("invalid_input", damaged["detail"])


# Deciding ------------------------------------------------------------------------------------------------------------


def test_next_decide_undo_and_a_stale_version_is_a_conflict(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    first = cli.json("review", "next")
    assert set(first) == {*QUEUE_KEYS, "text", "reason", "path"}
    assert Path(first["path"]).read_bytes()[4:8] == b"ftyp"
    number = str(first["mapping_id"])
    kept = cli.json("review", "decide", number, "skip", "--version", str(first["version"]))
    assert (kept["state"], kept["version"]) == ("skipped", first["version"] + 1)
    assert cli.refusal("review", "decide", number, "approve", "--version", str(first["version"]))["code"] == "conflict"
    assert cli.json("review", "decide", number, "approve", "--score", "0.4")["state"] == "approved"
    back = cli.json("review", "undo")
    assert set(back) == {"mapping_id", "state", "version", "event_id"}
    assert (back["mapping_id"], back["state"]) == (first["mapping_id"], "skipped")
    listed = cli.json("review", "queue", "--all")
    assert {item["mapping_id"]: item["state"] for item in listed["items"]}[first["mapping_id"]] == "skipped"
    assert all(set(item) == QUEUE_KEYS for item in listed["items"])
    cli.json("review", "decide", "2", "reject", "--reason", "cut_badly")
    cli.json("review", "decide", "3", "reject", "--reason", "Cut badly", "--reason", "too fast for learners", "--note", "seen twice")
    kept_as = [
        (json.loads(reasons), note) for reasons, note in ask(cli.home, "SELECT reasons, note FROM mappings WHERE mapping_id IN (2, 3)")
    ]
    assert kept_as == [(["cut_badly"], ""), (["cut_badly", "other"], "seen twice; too fast for learners")]
    assert cli.refusal("review", "next")["code"] == "not_found"


# The workspace as a whole --------------------------------------------------------------------------------------------


def states(cli: Cli) -> dict[int, tuple[str, int]]:
    return {item["mapping_id"]: (item["state"], item["version"]) for item in cli.json("review", "queue", "--all")["items"]}


def media_of(home: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (home / "media").rglob("*.mp4")}


def test_a_backup_brings_decisions_and_media_back(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    before, media = states(cli), media_of(cli.home)
    made = cli.json("backup", str(tmp_path / "copy"))
    assert (made["verified"], made["media"], made["counts"]["decisions"]) == (True, True, 2)
    cli.json("review", "decide", "2", "approve")
    cli.json("demo", "remove")
    shutil.rmtree(cli.home / "media")
    assert cli.refusal("restore", made["path"])["code"] == "conflict"
    assert states(cli)[2] == ("approved", 1)
    with worker_of(cli):
        assert cli.refusal("restore", made["path"], "--overwrite")["code"] == "refused"
    back = cli.json("restore", made["path"], "--overwrite")
    assert set(back) == {"workspace", "from", "aside", "counts"}
    assert (states(cli), media_of(cli.home)) == (before, media)
    assert ask(Path(back["aside"]), "SELECT count(*) FROM decisions WHERE mapping_id = 2") == [(1,)]  # what was replaced is kept
    other = Cli(program, tmp_path / "other" / "home")
    other.json("restore", made["path"])
    assert (states(other), media_of(other.home)) == (before, media)


def test_a_restore_says_where_the_workspace_that_it_replaced_is_kept(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    cli.json("backup", str(tmp_path / "copy"), "--without-media")
    restored = cli.run("restore", str(tmp_path / "copy"), "--overwrite")
    assert restored.returncode == 0
    [aside] = [line for line in restored.stdout.splitlines() if line.startswith("What was there is kept in ")]
    assert (Path(aside.removeprefix("What was there is kept in ").removesuffix(".")) / "app.db").is_file()


def test_a_folder_without_films_is_said(program, tmp_path):
    (tmp_path / "films").mkdir()
    done = Cli(program, tmp_path / "home").run("ingest", str(tmp_path / "films"))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "0 ingested, 0 known, 0 failed.")
    assert done.stdout.startswith("No film is there: a folder's films end in ") and ".mp4" in done.stdout


def test_doctor_names_the_servers_that_are_not_the_usual_ones(program, tmp_path):
    elsewhere = {"CLIPCAFE_BASE_URL": "http://mina:hunter22@127.0.0.1:9/", "OPENAI_BASE_URL": "http://127.0.0.1:11/v1"}
    cli = Cli(program, tmp_path / "home", {"CLIPCAFE": "not-a-key-4711", "OPENAI_API_KEY": "not-a-key-4711", **elsewhere})
    checks = {check["name"]: check["detail"] for check in cli.json("doctor")["checks"]}
    assert "; 127.0.0.1:9; " in checks["clipcafe"] and "; 127.0.0.1:11; " in checks["openai"]
    assert "hunter22" not in str(checks)


def test_an_archive_that_leads_out_is_refused_and_nothing_is_written(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    made = cli.json("backup", "--without-media")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        for path in Path(made["path"]).iterdir():
            archive.write(path, path.name)
        archive.writestr("../evil.txt", "out")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.db")}
    error = cli.refusal("restore", str(tmp_path / "evil.zip"), "--overwrite")
    assert error["code"] == "invalid_input" and "../evil.txt" in error["message"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.db")} == before
    assert list(tmp_path.rglob("evil.txt")) == []
    assert list(cli.home.rglob(".part-*")) == []


def test_a_server_whose_worker_is_away_still_holds_its_workspace(decided, program, tmp_path):
    from ui.server_lock import ServerLock

    cli = copy_of(decided, program, tmp_path)
    made = cli.json("backup", str(tmp_path / "copy"))
    lock = ServerLock(cli.home, "http://127.0.0.1:8501")
    try:
        error = cli.refusal("restore", made["path"], "--overwrite")
    finally:
        lock.release()
    assert error["code"] == "refused" and "http://127.0.0.1:8501" in error["message"]


def test_demo_remove_leaves_no_trace_of_it_and_all_of_yours(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    assert cli.json("demo", "status")["state"] in ("none", "ready")
    before = states(cli)
    assert cli.json("demo", "remove")["state"] == "removed"
    assert cli.json("demo", "remove")["state"] == "removed"
    assert states(cli) == {number: state for number, state in before.items() if number != 4}
    assert len(media_of(cli.home)) == 3
    database = Database(cli.home)
    check_all(database, MediaFiles(str(cli.home / "media"), cli.home / "cache"))
    database.close()


# Long work -----------------------------------------------------------------------------------------------------------


def test_what_queue_says_of_jobs_that_wait_end_and_are_cancelled(decided, filmed, program, tmp_path):
    cli = copy_of(filmed, program, tmp_path)
    film = str(filmed.parent / "short.mp4")
    listed = cli.json("queue", "status")
    assert set(listed) == {"jobs", "runs"}
    job = listed["jobs"][0]
    assert set(job) == {"id", "kind", "status", "queue", "done", "total", "detail", "reason", "attempt"}
    assert (job["kind"], job["status"]) == ("ingest", "succeeded")
    found = cli.json("queue", "file-status", film)
    assert set(found) == {"path", "media_id", "state", "reason", "jobs"}
    assert [row["id"] for row in found["jobs"]] == [job["id"]] and len(found["media_id"]) == 64
    assert cli.json("list")["films"][0]["media_id"] == found["media_id"]
    assert cli.json("queue", "healthchecks")["waiting"] == 0
    assert cli.json("queue", "cancel", job["id"])["status"] == "succeeded"  # what has ended stays so
    run_id = cli.json("discover", "--words", "surpass", "--detach")["run_id"]
    assert cli.json("queue", "status")["runs"][0]["id"] == run_id
    assert cli.json("queue", "cancel", run_id)["status"] == "cancelled"
    assert cli.json("queue", "retry", run_id)["status"] == "cancelled"  # nothing of it failed


def test_runs_by_number_and_id_and_a_detached_one_is_taken_up_by_a_worker(filmed, program, tmp_path):
    cli = copy_of(filmed, program, tmp_path)
    assert cli.json("runs") == cli.json("runs", "list") == {"runs": []}
    begun = cli.json("discover", "--words", "surpass,zebra", "--min-score", "0", "--detach")
    assert set(begun) == RUN_KEYS | {"report"} and set(begun["words"]) == WORD_KEYS
    assert (begun["status"], begun["words"]["total"], begun["words"]["done"]) == ("running", 2, 0)
    run_id = begun["run_id"]
    assert cli.json("runs") == {"runs": [{"run_id": run_id, "number": 1, "name": "typed words", "status": "running"}]}
    assert cli.json("runs", "pause", "1")["status"] == "paused"
    assert cli.json("runs", "pause", run_id)["status"] == "paused"
    assert cli.json("runs", "resume", run_id)["status"] == "running"
    cancelled = cli.json("runs", "cancel", "1")
    assert (cancelled["status"], cancelled["words"]["cancelled"]) == ("cancelled", 2)
    assert cli.json("runs", "cancel", run_id)["status"] == "cancelled"
    assert cli.json("runs", "resume", "1")["words"]["cancelled"] == 0
    with worker_of(cli):
        wait_until(lambda: ask(cli.home, "SELECT status FROM runs") == [("succeeded",)], "the run's end", within_s=60)
    ended = cli.json("runs", "show", "1")
    assert ended == cli.json("runs", "show", run_id)
    assert (ended["status"], ended["words"]["done"], ended["words"]["none_found"], ended["mappings"]) == ("succeeded", 1, 1, 1)
    for verb in ("pause", "cancel", "resume"):
        assert cli.refusal("runs", verb, "1")["code"] == "conflict"
    assert cli.json("runs", "retry", "1") == ended  # nothing failed: nothing is done


def test_discover_stopped_by_ctrl_c_and_by_a_kill_is_the_same_run_to_its_end(filmed, program, tmp_path):
    cli = copy_of(filmed, program, tmp_path)
    unspoken = ",".join(f"zebra{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")  # so that there is something left to stop
    command = ("discover", "--words", f"surpass,operation,comparatively,{unspoken}", "--min-score", "0", "--json")
    for number in (signal.SIGINT, signal.SIGKILL):
        process = cli.start(*command)
        wait_until(lambda: ask(cli.home, "SELECT 1 FROM run_words WHERE state = 'working'") and live_workers(cli.home), "work under way")
        worker = live_workers(cli.home)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert out == "" or number == signal.SIGKILL  # the little that the first left may be done before the kill comes
        if number == signal.SIGINT:
            assert (process.returncode, json.loads(err)["code"]) == (130, "interrupted")
            assert not any(map(is_alive, worker))
        wait_until(lambda: not any(map(is_alive, worker)), "the end of the command's own worker", within_s=15)  # noqa: B023
    found = cli.json(*command[:-1])
    assert [found["run_id"]] == [run_id for (run_id,) in ask(cli.home, "SELECT run_id FROM runs")]
    assert (found["status"], found["words"]["done"], found["clips"], found["mappings"]) == ("succeeded", 3, 3, 4)  # as unbroken
    database = Database(cli.home)
    check_all(database, MediaFiles(str(cli.home / "media"), cli.home / "cache"))
    database.close()


def test_a_word_fails_with_its_reason_while_its_film_is_away_and_retry_does_just_that(filmed, program, tmp_path):
    cli = copy_of(filmed, program, tmp_path)
    film = filmed.parent / "short.mp4"
    away = film.rename(tmp_path / "away.mp4")
    try:
        found = cli.json("discover", "--words", "surpass,zebra", "--min-score", "0")
    finally:
        away.rename(film)
    assert (found["status"], found["words"]["failed"], found["words"]["none_found"]) == ("succeeded", 1, 1)
    assert [(failure["word"], set(failure)) for failure in found["failed"]] == [("surpass", {"word", "stage", "reason"})]
    assert "short.mp4" in found["failed"][0]["reason"]
    again = cli.json("runs", "retry", "1")
    assert (again["run_id"], again["status"], again["failed"]) == (found["run_id"], "succeeded", [])
    assert (again["words"]["done"], again["words"]["none_found"], again["mappings"]) == (1, 1, 1)


def test_a_terminal_is_asked_and_no_is_a_refusal(decided, program, tmp_path):
    cli = copy_of(decided, program, tmp_path)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-P", "-m", "ui.cli", "export", "--backend-url", "http://127.0.0.1:9"]
    environ = {**os.environ, "WORDREEL_HOME": str(cli.home), "PYTHONPATH": str(program), "TERM": "dumb"}
    process = subprocess.Popen(command, stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=environ, cwd=tmp_path, text=True)
    os.close(theirs)
    said = b""
    while b"Send them?" not in said:
        said += os.read(ours, 1000)
    os.write(ours, b"n\n")
    out, _ = process.communicate(timeout=30)
    os.close(ours)
    assert (process.returncode, out) == (2, "")
    assert b"first export to 127.0.0.1:9: 1 clips" in said
