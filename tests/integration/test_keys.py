"""Keys from the page: masked, kept in `.env.secrets` alone, tested, and in no other place."""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from core.adapters.openai_server import DEFAULT_BASE_URL
from core.config import Config, load_config, read_env_file
from core.errors import Conflict, InvalidInput, KeyRefused, NotFound, NotSent, QuotaUsedUp, Refused, StoreError
from core.services.keys import BY_VARIABLE, KINDS, Keys, Told, masked
from core.services.settings import Settings
from core.store.database import Database
from core.store.secrets_file import NAME, SecretsFile
from tests.ui.pages import workspace
from ui.cli import doctor
from ui.cli.logs import SecretsOut

KEY = "cc-4f3a9e1b2d7788c0ffee3f9a"
OTHER = "cc-other-key-0000-Q7vT"


@dataclass
class Desk:
    """A program folder, a workspace, and the keys between them."""

    root_path: Path
    home_path: Path
    settings: Settings
    environ: dict[str, str] = field(default_factory=dict)
    testers: dict[str, Callable[[], str | Told]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.keys = Keys(self.root_path, self.settings, self.testers, self.environ)

    @property
    def path(self) -> Path:
        return self.root_path / NAME

    def config(self) -> Config:
        return load_config({**self.environ, "WORDREEL_HOME": str(self.home_path)}, root_path=self.root_path)


@pytest.fixture
def desk(tmp_path: Path):
    root_path, home_path = tmp_path / "program", tmp_path / "home"
    root_path.mkdir()
    database = Database(home_path)
    yield Desk(root_path, home_path, Settings(database))
    database.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def everything(path: Path) -> bytes:
    return b"\n".join(found.read_bytes() for found in sorted(path.rglob("*")) if found.is_file())


# The file ---------------------------------------------------------------------------------------------------------------


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(value=st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=60))
def test_every_printable_value_comes_back_as_it_was(tmp_path: Path, value: str) -> None:
    SecretsFile(tmp_path).set("CLIPCAFE", value)
    assert read_env_file(tmp_path / NAME) == {"CLIPCAFE": value}


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    before=st.lists(
        st.sampled_from(
            ["# a comment", "", "OTHER=1", "export OTHER2='x y'"]
            + ["  CLIPCAFE = old", "export CLIPCAFE=older", "no line", "CLIPCAFE_X=2", "é=3"]
        )
    ),
    end=st.sampled_from(["\n", "\r\n"]),
    is_ended=st.booleans(),
    has_mark=st.booleans(),
)  # fmt: skip
def test_other_lines_stay_as_they_are(tmp_path: Path, before: list[str], end: str, is_ended: bool, has_mark: bool) -> None:
    text = ("\ufeff" if has_mark else "") + end.join(before) + (end if is_ended and before else "")
    path = tmp_path / NAME
    path.write_bytes(text.encode())
    others = [line for line in text.removeprefix("\ufeff").splitlines() if not line.removeprefix("export ").strip().startswith("CLIPCAFE ")
              and not line.startswith(("CLIPCAFE=", "export CLIPCAFE="))]  # fmt: skip
    known = {name: value for name, value in read_env_file(path).items() if name != "CLIPCAFE"}
    file = SecretsFile(tmp_path)
    file.set("CLIPCAFE", KEY)
    lines = path.read_bytes().decode().removeprefix("\ufeff").splitlines()
    assert [line for line in lines if line != f"CLIPCAFE={KEY}"] == others
    assert lines.count(f"CLIPCAFE={KEY}") == 1
    assert read_env_file(path) == {**known, "CLIPCAFE": KEY}
    file.remove("CLIPCAFE")
    assert path.read_bytes().decode().removeprefix("\ufeff").splitlines() == others
    assert read_env_file(path) == known


@pytest.mark.parametrize("value", ["a\nB=1", "a\rb", "a\0b", "schlüssel", "a\x85b", "a\u2028b", "a\tb", "\x1b[0m"])
def test_a_value_that_no_line_can_hold_is_refused_and_not_repeated(tmp_path: Path, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        SecretsFile(tmp_path).set("CLIPCAFE", value)
    assert value not in f"{refused.value} {refused.value.hint}"
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_for_its_owner_alone_even_if_it_was_not(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("OTHER=1\n")
    path.chmod(0o644)
    SecretsFile(tmp_path).set("CLIPCAFE", KEY)
    assert mode(path) == 0o600
    path.chmod(0o666)
    SecretsFile(tmp_path).remove("CLIPCAFE")
    assert mode(path) == 0o600 and path.read_text() == "OTHER=1\n"


def test_the_temporary_file_is_never_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append(mode(self))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    was = os.umask(0)
    try:
        SecretsFile(tmp_path).set("CLIPCAFE", KEY)
    finally:
        os.umask(was)
    assert seen == [0o600] and mode(tmp_path / NAME) == 0o600


def test_a_link_is_refused_and_what_it_points_to_stays(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("OTHER=1\n")
    (tmp_path / NAME).symlink_to(other)
    for act in (lambda: SecretsFile(tmp_path).set("CLIPCAFE", KEY), lambda: SecretsFile(tmp_path).remove("OTHER")):
        with pytest.raises(Refused, match="symbolic link"):
            act()
    assert other.read_text() == "OTHER=1\n" and (tmp_path / NAME).is_symlink()


def test_a_folder_and_another_users_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / NAME).mkdir()
    with pytest.raises(Refused, match="not a plain file"):
        SecretsFile(tmp_path).set("CLIPCAFE", KEY)
    (tmp_path / NAME).rmdir()
    (tmp_path / NAME).write_text("OTHER=1\n")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    with pytest.raises(Refused, match="another user"):
        SecretsFile(tmp_path).set("CLIPCAFE", KEY)
    assert (tmp_path / NAME).read_text() == "OTHER=1\n"


def test_a_file_that_cannot_be_written_stays_whole_and_leaves_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SecretsFile(tmp_path)
    file.set("CLIPCAFE", OTHER)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left") as failed:
        file.set("CLIPCAFE", KEY)
    assert KEY not in str(failed.value)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert read_env_file(file.path) == {"CLIPCAFE": OTHER}


def test_what_a_crash_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.0123456789abcdef.new").write_text("CLIPCAFE=half")
    SecretsFile(tmp_path).set("CLIPCAFE", KEY)
    assert [path.name for path in tmp_path.iterdir()] == [NAME]


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    names = [f"NAME_{n}" for n in range(12)]
    threads = [threading.Thread(target=SecretsFile(tmp_path).set, args=(name, name.lower())) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_env_file(tmp_path / NAME) == {name: name.lower() for name in names}


# What the page sees ------------------------------------------------------------------------------------------------------


def test_a_key_is_masked_and_a_short_one_shows_nothing() -> None:
    assert masked(KEY) == "••••••••••••3f9a"
    assert masked("elevenchars") == "••••••••••••"
    assert masked("") == ""


def test_the_addresses_that_count_where_none_is_set() -> None:
    assert BY_VARIABLE["OPENAI_BASE_URL"].usual == DEFAULT_BASE_URL
    assert BY_VARIABLE["CLIPCAFE_BASE_URL"].usual == Config(Path()).clipcafe_base_url


def test_a_key_entered_here_is_what_the_program_reads(desk: Desk) -> None:
    assert not desk.keys.row("CLIPCAFE").is_set
    desk.keys.save("CLIPCAFE", f"  {KEY}\n", "ines")
    assert desk.config().clipcafe_key == KEY
    row = desk.keys.row("CLIPCAFE")
    assert (row.masked, row.origin, row.is_locked) == ("••••••••••••3f9a", NAME, False)
    assert KEY not in repr(desk.keys.rows())
    desk.keys.remove("CLIPCAFE", "ines")
    assert desk.config().clipcafe_key == "" and not desk.keys.row("CLIPCAFE").is_set


@pytest.mark.parametrize("origin", ["environment", ".env"])
def test_what_the_operator_set_is_locked(desk: Desk, origin: str) -> None:
    if origin == "environment":
        desk.environ["CLIPCAFE"] = KEY
        desk.path.write_text(f"CLIPCAFE={OTHER}\n")
    else:
        (desk.root_path / ".env").write_text(f"CLIPCAFE={KEY}\n")
    row = desk.keys.row("CLIPCAFE")
    assert (row.is_locked, row.origin, row.masked) == (True, origin, "••••••••••••3f9a")
    for act in (lambda: desk.keys.save("CLIPCAFE", "new-key", "ines"), lambda: desk.keys.remove("CLIPCAFE", "ines")):
        with pytest.raises(Refused, match="not changed here"):
            act()
    assert desk.config().clipcafe_key == KEY and desk.settings.history() == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.variable)
def test_every_row_is_weighed_as_the_program_weighs_it(desk: Desk, kind) -> None:
    value = KEY if kind.is_secret else "https://one.example.org/v1"
    desk.keys.save(kind.variable, value, "ines")
    assert desk.keys.row(kind.variable).origin == desk.config().origins[kind.variable]
    desk.environ[kind.variable] = "https://two.example.org/v1"
    assert desk.keys.row(kind.variable).origin == desk.config().origins[kind.variable] == "environment"


@pytest.mark.parametrize("value", ["", "  ", "half key", "a\nCLIPCAFE=b", "ключ", "k" * 2_001, "a\0b"])
def test_a_key_that_cannot_be_one_is_refused(desk: Desk, value: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        desk.keys.save("CLIPCAFE", value, "ines")
    assert not value.strip() or value not in str(refused.value)
    assert not desk.path.exists()


@pytest.mark.parametrize(
    "value",
    ["lessons.example.org", "ftp://a.example", "https://", "http://[::1", "https://u:p@a.example", "https://a.example/?key=1", "https://a.example:99999/"],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused(desk: Desk, value: str) -> None:
    with pytest.raises(InvalidInput):
        desk.keys.save("BACKEND_URL", value, "ines")
    assert not desk.path.exists()


def test_an_address_is_shown_without_a_sign_in(desk: Desk) -> None:
    desk.environ["BACKEND_URL"] = "https://ines:hunter22@lessons.example.org/in?token=hunter22"
    assert desk.keys.row("BACKEND_URL").masked == "https://lessons.example.org/in"


def test_two_tabs_do_not_overwrite_each_other_silently(desk: Desk) -> None:
    before = desk.keys.row("CLIPCAFE").mark
    desk.keys.save("CLIPCAFE", OTHER, "jonas", seen=before)
    for act in (lambda: desk.keys.save("CLIPCAFE", KEY, "ines", seen=before), lambda: desk.keys.remove("CLIPCAFE", "ines", seen=before)):
        with pytest.raises(Conflict, match="changed meanwhile"):
            act()
    assert desk.config().clipcafe_key == OTHER
    desk.keys.save("CLIPCAFE", KEY, "ines", seen=desk.keys.row("CLIPCAFE").mark)
    assert desk.config().clipcafe_key == KEY


# Tests of a key -----------------------------------------------------------------------------------------------------------


def test_a_test_is_remembered_until_the_key_or_its_address_changes(desk: Desk) -> None:
    desk.testers["OPENAI_API_KEY"] = lambda: Told("2 models", ("gpt-4o", "gpt-4o-mini"))
    with pytest.raises(NotFound, match="no OpenAI key is set"):
        desk.keys.test("OPENAI_API_KEY", "ines")
    desk.keys.save("OPENAI_API_KEY", KEY, "ines")
    assert desk.keys.row("OPENAI_API_KEY").test is None
    found = desk.keys.test("OPENAI_API_KEY", "ines")
    assert (found.is_ok, found.word, found.says, found.costs) == (True, "works", "2 models", "nothing")
    assert desk.keys.row("OPENAI_API_KEY").test == found
    again = Keys(desk.root_path, desk.settings, desk.testers, desk.environ)
    assert again.row("OPENAI_API_KEY").test == found, "another process knows it too"
    desk.keys.save("OPENAI_BASE_URL", "https://own.example.org/v1", "ines")
    assert desk.keys.row("OPENAI_API_KEY").test is None
    desk.keys.remove("OPENAI_BASE_URL", "ines")
    assert desk.keys.row("OPENAI_API_KEY").test == found
    desk.keys.save("OPENAI_API_KEY", OTHER, "ines")
    assert desk.keys.row("OPENAI_API_KEY").test is None


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (KeyRefused("refused {key}", hint="check {key}"), "refused"),
        (QuotaUsedUp("used up {key}"), "used up"),
        (NotSent("no host for https://api.clip.cafe/?api_key={quoted}"), "not reached"),
        (InvalidInput("{key}"), "failed"),
    ],
)
def test_a_provider_that_repeats_the_key_is_not_quoted(desk: Desk, error, word: str) -> None:
    key = "cc/4f3a+9e1b&2d77=3f9a"
    desk.keys.save("CLIPCAFE", key, "ines")

    def refuse() -> str:
        told = type(error)(error.message.format(key=key, quoted=quote(key, safe="")), hint=error.hint.format(key=key))
        raise told

    desk.testers["CLIPCAFE"] = refuse
    found = desk.keys.test("CLIPCAFE", "ines")
    assert (found.is_ok, found.word, found.costs) == (False, word, "1 request")
    assert key not in found.says and quote(key, safe="") not in found.says
    written = everything(desk.home_path)
    assert key.encode() not in written and quote(key, safe="").encode() not in written


def test_no_key_is_in_the_workspace_the_history_or_a_log(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    secrets: Mapping[str, str] = {"CLIPCAFE": KEY, "OPENAI_API_KEY": OTHER, "BACKEND_TOKEN": "token-0123456789-abcd"}
    for variable, key in secrets.items():
        desk.keys.save(variable, key, "ines")
        desk.testers[variable] = lambda key=key: f"hello {key}"
        assert key not in desk.keys.test(variable, "ines").says
    desk.keys.remove("BACKEND_TOKEN", "jonas")
    history = desk.settings.history()
    changes = [(change.value["variable"], change.value["did"], change.actor) for change in history if change.name == "key_changes"]
    assert changes[0] == ("BACKEND_TOKEN", "removed", "jonas") and changes[-1] == ("CLIPCAFE", "entered", "ines")
    shown = f"{history} {desk.keys.rows()} {caplog.text} {desk.config()!r}".encode() + everything(desk.home_path)
    assert not [key for key in secrets.values() if key.encode() in shown]
    assert KEY.encode() in everything(desk.root_path), "the search finds what is there"


def test_the_log_hides_a_key_that_was_entered_meanwhile_and_the_one_before(desk: Desk) -> None:
    formatter = SecretsOut(desk.root_path)

    def line(text: str) -> str:
        return formatter.format(logging.LogRecord("wordreel", logging.INFO, __file__, 1, text, None, None))

    assert KEY in line(f"nobody knows {KEY}")
    desk.keys.save("CLIPCAFE", KEY, "ines")
    assert line(f"sent {KEY}").endswith("sent (hidden)")
    desk.keys.save("CLIPCAFE", OTHER, "ines")
    assert line(f"sent {KEY} and {OTHER}").endswith("sent (hidden) and (hidden)")
    desk.path.write_bytes(b"\xff")
    assert line(f"sent {OTHER}").endswith("sent (hidden)")


# Doctor -------------------------------------------------------------------------------------------------------------------


def test_doctor_says_which_keys_are_set_and_never_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with workspace() as (app, _):
        found = [*doctor._clipcafe(app), *doctor._openai(app)]
        assert [(check.ok, check.detail.split(";")[0]) for check in found] == [(True, "no key"), (True, "no key")]
    monkeypatch.setenv("CLIPCAFE", KEY)
    monkeypatch.setenv("CLIPCAFE_RATE", "30/60s")
    monkeypatch.setenv("CLIPCAFE_DOWNLOADS_PER_MONTH", "1000")
    monkeypatch.setenv("OPENAI_API_KEY", OTHER)
    monkeypatch.setenv("JUDGE_MODEL", "own-chat-7b")
    with workspace() as (app, _):
        app.limits.downloads.take()
        clipcafe, openai = [*doctor._clipcafe(app), *doctor._openai(app)]
    assert "set in the environment; at most 30 requests in any 60 s; requests a month not known" in clipcafe.detail
    assert "999 of 1,000 downloads left" in clipcafe.detail and "what your plan allows" in clipcafe.fix
    assert "own-chat-7b, price not known" in openai.detail
    assert not [key for key in (KEY, OTHER) if key in f"{clipcafe} {openai}"]


def test_doctor_finds_keys_that_others_can_read(desk: Desk) -> None:
    assert list(doctor._secrets(desk.config())) == []
    desk.keys.save("CLIPCAFE", KEY, "ines")
    assert [check.ok for check in doctor._secrets(desk.config())] == [True]
    desk.path.chmod(0o640)
    (check,) = doctor._secrets(desk.config())
    assert not check.ok and "chmod 600" in check.fix
