"""`discover --plan`, what a launch says before it spends, and how the command ends for whatever stops a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from sqlalchemy import insert, update

from core.config import load_config
from core.errors import Conflict, InvalidInput
from core.model.clips import Source
from core.model.runs import Plan, RunSettings, RunStatus, Stage, StopCause, WordState
from core.model.vocabulary import VocabularyWord
from core.rules.prices import dollars, say_tokens
from core.services.discovery import WordChoice
from core.services.plan_words import ChosenWords
from core.store.rate_slots import RateSlots
from core.store.rate_tables import month_quotas
from core.store.tables import ledger, run_words, runs
from core.timing import now
from core.wiring import App
from tests.loopback.commands import Cli, ask, copy_program
from ui.cli.output import OUT
from ui.cli.plan_lines import short_line
from ui.cli.run_following import answer_run, follow
from ui.parts.figures import model_name

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

KEYS = {"CLIPCAFE": "not-a-key-4711", "OPENAI_API_KEY": "sk-not-a-key-4711"}
OLD_KEYS = {
    "words", "already_covered", "searches", "fresh_links", "downloads", "judge_calls", "tokens", "cost_usd", "minimum_s", "quota",
}  # fmt: skip


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_program(tmp_path_factory.mktemp("program"))


@pytest.fixture
def cli(program: Path, tmp_path: Path) -> Cli:
    return Cli(program, tmp_path / "home")


def test_a_plan_for_people_and_for_machines_and_nothing_is_written(cli: Cli) -> None:
    paid = cli.with_settings(**KEYS, CLIPCAFE_DOWNLOADS_PER_MONTH="1000")
    done = paid.run("discover", "--words", "refer,matter", "--plan", "--max-cost", "1")
    assert (done.returncode, done.stderr) == (0, "Source: ClipCafe, since its key is set.\n")
    shown = done.stdout.splitlines()
    assert shown[0] == "2 words of typed words: 0 with what they want, 2 to search at ClipCafe."
    by_name = {" ".join(line.split()[:2]): line for line in shown[1:12]}
    assert by_name["Downloads 6"].endswith("at most; 1,000 left this month, then 994")
    assert by_name["Requests 8"].endswith("this month’s quota is not known")
    assert by_name["Judge calls"].split()[2:] == ["46", "openai", "gpt-4o-mini"]
    assert next(line for name, line in by_name.items() if name.startswith("Money $0.0")).endswith("of $1.00")
    assert {line.rindex("  ") for line in shown[2:8]} == {by_name["Downloads 6"].rindex("  ")}  # aligned
    assert shown[-1] == "Nothing was spent."
    assert "not-a-key" not in done.stdout + done.stderr
    found = paid.json("discover", "--words", "refer,matter", "--plan", "--max-cost", "1")
    assert set(found) == {"report", *(field.name for field in fields(Plan))} > OLD_KEYS
    assert (found["source"], found["requests"], found["quota"]["downloads_this_month"]) == ("clipcafe", 8, 1000)
    assert found["expected"]["n"] == 0
    for table in ("words", "bundles", "runs", "searches", "settings_events"):
        assert ask(cli.home, f"SELECT COUNT(*) FROM {table}") == [(0,)]


def test_without_a_key_own_films_are_meant_and_clipcafe_is_refused(cli: Cli) -> None:
    done = cli.run("discover", "--words", "refer", "--plan")
    assert done.stderr == "Source: your own films.\n"
    assert "films are read in place" in done.stdout
    assert next(line for line in done.stdout.splitlines() if line.startswith("Judge calls")).split()[3:] == ["rubric-1"]
    refused = cli.refusal("discover", "--words", "refer", "--source", "clipcafe")
    assert refused["code"] == "invalid_input"
    assert "CLIPCAFE" in refused["hint"]
    assert "Settings" in refused["hint"]
    assert ask(cli.home, "SELECT COUNT(*) FROM runs") == [(0,)]


def test_a_plan_at_a_source_without_its_key_says_so(cli: Cli) -> None:
    says = "No key of ClipCafe is set: enter one in Settings before the launch."
    assert cli.json("discover", "--words", "refer", "--source", "clipcafe", "--plan")["basis"][0] == says
    assert says not in str(cli.with_settings(**KEYS).json("discover", "--words", "refer", "--source", "clipcafe", "--plan"))


def test_rows_that_were_changed_or_refused_are_told_by_plan_and_launch(cli: Cli, tmp_path: Path) -> None:
    listed = tmp_path / "mine.csv"
    listed.write_text("word\nrefer.\n1234\n")
    told = ["line 2: 'refer.' read as 'refer'", "line 3: '1234' refused, no letter in it"]
    planned = cli.run("discover", "--csv", str(listed), "--plan")
    assert planned.stderr.splitlines()[1:] == told
    for more in ("--plan", "--detach"):
        assert cli.json("discover", "--csv", str(listed), more)["report"] == told


def test_a_launch_says_its_plan_first_and_keeps_it(cli: Cli) -> None:
    done = cli.run("discover", "--words", "refer,matter", "--detach")
    assert done.stderr.splitlines() == ["Source: your own films.", "Plan: 2 searches, 0 judge calls, $0.00."]
    none_alive = "Waiting for a worker. None is alive. `python run.py` starts one; so does `python run.py worker`."
    assert done.stdout.splitlines()[-1] == none_alive
    assert cli.run("runs", "show", "1").stdout.splitlines()[-1] == none_alive
    health = cli.json("queue", "healthchecks", code=2)
    assert (health["ok"], health["waiting"], health["runs"]) == (False, 0, 1)
    found = cli.json("runs", "show", "1")
    assert (found["plan"]["words"], found["plan"]["searches"], found["is_at_least"], found["notes"]) == (2, 2, False, [])


def test_a_limit_of_money_needs_a_price(cli: Cli) -> None:
    paid = cli.with_settings(**KEYS, JUDGE_MODEL="somebodys-model")
    refused = paid.refusal("discover", "--words", "refer", "--max-cost", "1")
    assert "somebodys-model is not known" in refused["message"]
    assert "Enter its price in Settings" in refused["hint"]
    plan = paid.json("discover", "--words", "refer", "--plan")
    assert (plan["is_at_least"], plan["cost_usd"]) == (True, 0.0)
    assert "at least $0.00\n" in paid.run("discover", "--words", "refer", "--plan").stdout


def test_figures_as_they_are_read() -> None:
    assert [say_tokens(n) for n in (850, 9_999, 214_300, 999_400, 1_250_000)] == ["850", "9,999", "214 k", "999 k", "1.25 M"]
    assert [dollars(usd) for usd in (0.0, 0.0004, 0.28, 1234.5)] == ["$0.00", "$0.0004", "$0.28", "$1,234.50"]
    told = {
        "rubric rubric-1": "rubric-1",
        "whisper whisper-large": "whisper-large",
        "openai whisper-1": "openai whisper-1",
        "captions": "captions",
    }
    assert {text: model_name(text) for text in told} == told
    plan = Plan(120, 0, 97, 88, 150, 1310, 1_250_000, 0.28, 1985.9, requests=335, source="clipcafe")
    assert short_line(plan, RunSettings(source=Source.CLIPCAFE, max_cost_usd=1.0)) == (
        "Plan: 97 searches, 88 fresh links, at most 150 downloads, 1,310 judge calls, $0.28 of $1.00; 33:05 min at the least."
    )


# How it ends ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    environ = {"WORDREEL_HOME": str(tmp_path / "home"), **KEYS, "CLIPCAFE_DOWNLOADS_PER_MONTH": "5"}
    made = App(load_config(environ, root_path=tmp_path))
    monkeypatch.setattr(OUT, "is_json", False)
    yield made
    made.close()


def stopped(app: App, status: RunStatus, *, word: WordState, cause: StopCause | str = "", reason: str = "") -> str:
    """A run over one word as a worker would have left it."""
    chosen = app.discovery.choose(WordChoice(words=("refer",)))
    run_id = app.discovery.launch(chosen, RunSettings(source=Source.CLIPCAFE, max_downloads=3), actor="mina")
    with app.database.write() as connection:
        connection.execute(update(runs).values(status=status, stopped_for=str(cause), reason=reason))
        connection.execute(update(run_words).values(state=word, reason=reason if word is WordState.WAITING_FOR_QUOTA else ""))
    return run_id


def use_up(app: App) -> None:
    quota = app.limits.downloads
    with app.database.write() as connection:
        connection.execute(insert(month_quotas).values(name=quota.name, month=f"{now():%Y-%m}", n_used=5))


def test_a_used_up_month_ends_the_command_well_and_says_until_when(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = stopped(app, RunStatus.WAITING_FOR_QUOTA, word=WordState.WAITING_FOR_QUOTA, reason="Used up.")
    use_up(app)
    follow(app, run_id)  # no exit: 0
    told = capsys.readouterr().out
    resets_at = app.limits.downloads.state().resets_at
    assert f"Month’s downloads are used up. 1 word waits, with its place kept, until {resets_at:%-d %B}." in told
    assert "`python run.py runs resume 1`, or the same command again, goes on." in told


def test_a_run_at_its_own_limit_is_launched_with_a_higher_one_and_not_resumed(app: App, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = stopped(app, RunStatus.WAITING_FOR_QUOTA, word=WordState.WAITING_FOR_QUOTA, reason="The run's limit of 3 downloads is reached")
    follow(app, run_id)
    told = capsys.readouterr().out
    says = "The run's limit of 3 downloads is reached. 1 word waits, with its place kept."
    assert f"{says} Launch these words with a higher limit; what was judged is kept." in told
    assert "resume" not in told


def test_demo_words_at_another_source_are_refused_by_the_launch_and_named_by_the_plan(app: App) -> None:
    chosen = ChosenWords("demo_start", "demo_start", (VocabularyWord(-1, "harbour"),), is_demo=True)
    asked = RunSettings(source=Source.CLIPCAFE)
    says = "demo_start is of the demo, and its words are in the demo's films only."
    assert app.discovery.plan(chosen, asked).basis[0] == f"This run cannot be launched: {says}"
    with pytest.raises(InvalidInput, match=says):
        app.discovery.launch(chosen, asked, actor="mina")
    assert "cannot be launched" not in str(app.discovery.plan(chosen, RunSettings()).basis)


def test_a_run_that_waits_for_a_quota_is_resumed_and_neither_paused_nor_cancelled(app: App) -> None:
    run_id = stopped(app, RunStatus.WAITING_FOR_QUOTA, word=WordState.WAITING_FOR_QUOTA, reason="Used up.")
    for verb in (app.discovery.pause, app.discovery.cancel):
        with pytest.raises(Conflict, match="waits for a quota") as refused:
            verb(run_id)
        assert "`python run.py runs resume 1`" in refused.value.hint


@pytest.mark.parametrize(
    ("cause", "code"), [(StopCause.KEY, 3), (StopCause.CREDIT, 3), (StopCause.PROVIDER, 3), (StopCause.DISK, 2), (StopCause.PERSON, 2)]
)
def test_a_pause_says_why_and_how_to_go_on(app: App, capsys: pytest.CaptureFixture[str], cause: StopCause, code: int) -> None:
    reason = "" if cause is StopCause.PERSON else "The key is refused. Enter another."
    run_id = stopped(app, RunStatus.PAUSED, word=WordState.QUEUED, cause=cause, reason=reason)
    with pytest.raises(typer.Exit) as ended:
        follow(app, run_id)
    assert ended.value.exit_code == code
    told = capsys.readouterr().out
    assert "typed words: paused" in told
    assert reason in told and ".." not in told
    assert "`python run.py runs resume 1` goes on." in told


@pytest.mark.parametrize("who", ["ClipCafe", "api.openai.com"])
def test_while_it_waits_for_a_provider_the_moment_is_named(app: App, capsys: pytest.CaptureFixture[str], who: str) -> None:
    run_id = stopped(app, RunStatus.RUNNING, word=WordState.QUEUED)
    slots = app.limits.slots
    if who != "ClipCafe":
        slots = RateSlots(app.database, app.openai_server.host, 1, 60.0)
        with app.database.write() as connection:
            connection.execute(update(run_words).values(state=WordState.WORKING, stage=Stage.SHORTLIST))
    slots.block(30.0, "429")
    waits_until = slots.state().blocked_until
    assert waits_until is not None

    def end(_s: float) -> None:
        with app.database.write() as connection:
            connection.execute(update(runs).values(status=RunStatus.SUCCEEDED))
            connection.execute(update(run_words).values(state=WordState.DONE))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ui.cli.run_following.time.sleep", end)
        follow(app, run_id)
    told = capsys.readouterr().err
    assert f"{who} asked everyone to wait" in told
    assert any(f"That is at {(waits_until + timedelta(seconds=n)).astimezone():%H:%M:%S}." in told for n in (-1, 0, 1))


def test_what_was_spent_stands_beside_the_plan_and_is_at_least_where_a_price_is_missing(
    app: App, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = stopped(app, RunStatus.SUCCEEDED, word=WordState.DONE)
    call = {"attempt": 1, "provider": "h", "operation": "judge", "model": "m", "prompt_version": "1", "state": "done", "run_id": run_id}
    at = {"worker_id": "w", "intended_at": now(), "tokens_in": 400, "tokens_out": 50}
    with app.database.write() as connection:
        connection.execute(
            insert(ledger), [{**call, **at, "call_key": "a", "cost_usd": 0.32}, {**call, **at, "call_key": "b", "cost_usd": None}]
        )
    answer_run(app, app.discovery.summary(run_id))
    told = capsys.readouterr().out
    assert "Money: at least $0.32 of $0.0056 planned" in told
    assert "Judge calls: 2 of 23 planned" in told
    assert "Downloads: 0 of 3 planned" in told
    assert app.discovery.summary(run_id).is_at_least
