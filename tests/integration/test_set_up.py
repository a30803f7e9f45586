"""The launcher on a machine of its own: a copy of it with two small packages from a local folder, never the network.

The folder of packages stands in for the registry through pip's own settings, so everything that runs is real: the
environment, pip, the stamp, the lock, handing over.
"""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from launcher import checks, environment, faults, installation
from launcher.progress import Progress

ROOT = Path(__file__).resolve().parents[2]


def make_wheel(folder: Path, name: str, version: str) -> None:
    """A package with one module that knows its version."""
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = {version!r}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


def make_project(folder: Path) -> Path:
    """The launcher, a command that prints what it was given, and pins of two small packages."""
    project, wheels = folder / "wordreel", folder / "wheels"
    (project / "ui/cli").mkdir(parents=True)
    wheels.mkdir()
    shutil.copy(ROOT / "run.py", project)
    shutil.copytree(ROOT / "launcher", project / "launcher", ignore=shutil.ignore_patterns("__pycache__"))
    (project / "ui/__init__.py").touch()
    (project / "ui/cli/__init__.py").touch()
    (project / "ui/cli/__main__.py").write_text(
        "import json, os, sys, fakedesk\nprint(json.dumps({'arguments': sys.argv[1:], 'cwd': os.getcwd(), 'desk': fakedesk.VERSION}))\n"
    )
    for name, version in (("fakedesk", "1.0"), ("fakedesk", "2.0"), ("fakedev", "1.0"), ("faketorch", "1.0")):
        make_wheel(wheels, name, version)
    (project / "requirements-desk.txt").write_text("fakedesk==1.0  # what the desk needs\n")
    (project / "requirements.txt").write_text("-r requirements-desk.txt\nfaketorch==1.0\n")
    (project / "requirements-dev.txt").write_text("-r requirements-desk.txt\nfakedev==1.0\n")
    return project


def start(project: Path, *arguments: str, cwd: Path | None = None, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys._base_executable, str(project / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or project, env=environ(project, **extra), timeout=100)


def environ(project: Path, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV", "WORDREEL"))}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project.parent / "wheels"), **extra}


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A project that is set up, and what its first start said."""
    project = make_project(tmp_path_factory.mktemp("launcher"))
    return project, start(project, "doctor")


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return make_project(tmp_path)


def test_the_first_start_sets_up_and_hands_over(ready):
    project, first = ready
    assert first.returncode == 0, first.stdout + first.stderr
    assert "Setting up Wordreel in" in first.stdout
    assert "Fetching" in first.stdout and "Set up in" in first.stdout
    assert json.loads(first.stdout.splitlines()[-1]) == {"arguments": ["doctor"], "cwd": str(project), "desk": "1.0"}
    assert not (project / ".venv/tmp").exists()


def test_a_second_start_installs_nothing_and_keeps_the_arguments_and_the_folder(ready, tmp_path):
    project, _ = ready
    (tmp_path / "ui").mkdir()  # a folder of the person's own that must not shadow ours
    (tmp_path / "ui/__init__.py").write_text("raise RuntimeError('not this one')")
    second = start(project, "ingest", "my film.mp4", "--json", cwd=tmp_path)
    assert json.loads(second.stdout) == {"arguments": ["ingest", "my film.mp4", "--json"], "cwd": str(tmp_path), "desk": "1.0"}


def test_help_before_set_up_is_static_and_installs_nothing(fresh):
    for arguments in (["--help"], ["discover", "--help"], ["-h"]):
        result = start(fresh, *arguments)
        assert result.returncode == 0
        assert result.stdout.startswith("Usage: python run.py [COMMAND]")
    assert not (fresh / ".venv").exists()


def test_help_after_set_up_is_that_of_the_commands(ready):
    assert json.loads(start(ready[0], "discover", "--help").stdout)["arguments"] == ["discover", "--help"]


def test_setup_says_that_nothing_is_missing(ready):
    assert start(ready[0], "setup").stdout.startswith("Everything is installed in ")


def test_setup_refuses_what_it_does_not_know(ready):
    result = start(ready[0], "setup", "--everything")
    assert (result.returncode, result.stderr) == (2, "setup knows only --all, not --everything.\n")


def test_a_changed_pin_is_installed_and_all_comes_and_stays(ready):
    project, _ = ready
    assert "about 8 GB" in start(project, "setup", "--all").stdout
    (project / "requirements-desk.txt").write_text("fakedesk==2.0\n")
    result = start(project, "coverage")
    assert "Setting up" in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["desk"] == "2.0"
    assert "Setting up" not in start(project, "coverage").stdout


def test_an_interrupted_set_up_is_done_again(fresh):
    process = subprocess.Popen([sys._base_executable, "run.py", "doctor"], cwd=fresh, env=environ(fresh), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (fresh / ".venv/pyvenv.cfg").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (fresh / ".venv" / environment.STAMP).exists()
    (fresh / ".venv/half-unpacked").mkdir()
    again = start(fresh, "doctor")
    assert "interrupted" in again.stdout
    assert json.loads(again.stdout.splitlines()[-1])["desk"] == "1.0"
    assert not (fresh / ".venv/half-unpacked").exists()


def test_an_interrupted_addition_trusts_nothing_that_is_there(ready):
    project, _ = ready
    module = environment.site_packages_path(project / ".venv") / "fakedesk.py"
    module.write_text("VERSION = 'half'\n")
    (project / ".venv" / environment.BEGUN).write_text("added")
    result = start(project, "doctor")
    assert "interrupted" in result.stdout
    assert json.loads(result.stdout.splitlines()[-1])["desk"] != "half"
    assert not (project / ".venv" / environment.BEGUN).exists()


def test_two_starts_at_once_make_one_environment(fresh):
    command = [sys._base_executable, "run.py", "doctor"]
    both = [subprocess.Popen(command, cwd=fresh, env=environ(fresh), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=100)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Setting up Wordreel" in text for text in said) == 1
    assert all(json.loads(text.splitlines()[-1])["desk"] == "1.0" for text in said)


def test_the_environment_can_lie_elsewhere_and_sigterm_ends_pip(fresh, tmp_path):
    elsewhere = tmp_path / "else where"
    command = [sys._base_executable, "run.py", "setup"]
    process = subprocess.Popen(command, cwd=fresh, env=environ(fresh, WORDREEL_VENV=str(elsewhere)), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (elsewhere / environment.BEGUN).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.terminate()
    process.wait(timeout=15)
    assert process.returncode in (143, -signal.SIGTERM)
    assert "Set up in" in start(fresh, "setup", WORDREEL_VENV=str(elsewhere)).stdout
    assert not (fresh / ".venv").exists()


def test_a_folder_that_holds_something_else_is_left_alone(fresh, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    result = start(fresh, "doctor", WORDREEL_VENV=str(mine))
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1 and "not a Python environment" in result.stderr
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_a_file_in_the_place_of_the_environment_gets_one_line(fresh):
    (fresh / ".venv").write_text("")
    result = start(fresh, "doctor")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "is not a folder" in result.stderr


@pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="needs a folder that nobody can write in, such as Linux's /sys")
def test_a_folder_that_cannot_be_written_gets_one_line(fresh):
    result = start(fresh, "doctor", WORDREEL_VENV="/sys/kernel/wordreel")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "cannot be written" in result.stderr and "WORDREEL_VENV" in result.stderr


def test_no_network_gets_one_line(fresh):
    closed = {"PIP_NO_INDEX": "0", "PIP_FIND_LINKS": "", "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    result = start(fresh, "doctor", **closed)
    assert (result.returncode, result.stderr.count("\n")) == (3, 1)
    assert result.stderr.startswith("The package registry cannot be reached")
    assert "Setting up" in start(fresh, "doctor").stdout  # and the same command goes on


def test_a_package_that_the_registry_lacks_gets_one_line(fresh):
    (fresh / "requirements-desk.txt").write_text("fakedesk==3.0\n")
    result = start(fresh, "doctor")
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "fakedesk==3.0" in result.stderr


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8", "3.9", "3.10"])
def test_the_launcher_parses_on_an_old_python(version):
    import ast

    ast.parse((ROOT / "run.py").read_text(encoding="utf-8"), feature_version=tuple(map(int, version.split("."))))


def test_an_old_python_gets_one_line():
    """The launcher's own source, on an interpreter that says it is old."""
    script = f"import sys; sys.version_info = (3, 9, 18); exec(compile(open({str(ROOT / 'run.py')!r}).read(), 'run.py', 'exec'))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "Python 3.11 or later, and this is 3.9.18" in result.stderr


def test_a_small_disk_is_refused_before_anything_is_made(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=3 * 1024**3))
    with pytest.raises(faults.SetupError, match=r"3\.0 GB free, 4 GB needed") as caught:
        installation.check_disk(tmp_path, ["desk"], is_fresh=True)
    assert caught.value.exit_code == 2
    installation.check_disk(tmp_path, ["desk"], is_fresh=False)  # a changed pin needs less


def test_a_python_without_venv_gets_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(installation.importlib.util, "find_spec", lambda name: None if name == "ensurepip" else object())
    with pytest.raises(faults.SetupError, match="apt install python3-venv"):
        installation.make_venv(tmp_path)


@pytest.mark.parametrize(
    ("said", "expected", "exit_code"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "The disk is full", 2),
        ("ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: '/opt/x'", "cannot be written", 2),
        ("WARNING: NewConnectionError('…')\nERROR: No matching distribution found for a", "cannot be reached", 3),
        ("WARNING: SSLCertVerificationError(1, '…')\nERROR: No matching distribution found for a", "PIP_CERT", 3),
        ("ERROR: Failed building wheel for pocketsphinx", "pocketsphinx has no ready-made package", 2),
        ("ERROR: something new", "Set-up failed: something new", 1),
        ("", "the installer ended early", 1),
    ],
)
def test_what_pip_says_becomes_one_line(said, expected, exit_code, tmp_path):
    error = faults.explained(said, tmp_path)
    assert expected in str(error) and "\n" not in str(error)
    assert error.exit_code == exit_code


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, "disk is full"), (errno.EROFS, "cannot be written"), (errno.EPERM, "cannot be written")]
)
def test_what_the_operating_system_refuses_becomes_one_line(number, expected, tmp_path):
    with pytest.raises(faults.SetupError, match=expected), faults.told_plainly(tmp_path):
        raise OSError(number, os.strerror(number))


class Terminal:
    """A terminal that keeps what it was sent."""

    def __init__(self) -> None:
        self.text = ""

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_a_terminal_gets_one_live_line(tmp_path, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    progress = Progress(3, tmp_path, terminal)  # type: ignore[arg-type]
    for line in ("Collecting streamlit==1.67.0 (from -r x (line 4))\n", "  Downloading streamlit-1.67.0-py3-none-any.whl (9.1 MB)\n"):
        progress.read(line)
    (tmp_path / "streamlit-1.67.0.dist-info").mkdir()
    progress.read("Installing collected packages: streamlit\n")
    progress.close()
    assert "\n" not in terminal.text
    assert "Fetching 1 of 3 packages, 9 MB: streamlit 1.67.0" in terminal.text
    assert "Unpacking 1 of 3 packages" in terminal.text
    assert re.search(r"\d:\d\d", terminal.text)


def test_the_checks_cover_style_types_and_imports():
    assert [name for name, _ in checks.checks("python")][:3] == ["ruff", "mypy", "import contracts"]
