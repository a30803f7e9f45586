"""Start Wordreel: set it up beside this file where that is still to do, then hand over to its commands.

Needs nothing but Python 3.11. Everything that it installs goes into `.venv` beside this file (or where WORDREEL_VENV
says). The syntax parses on Python 3.6, so that an old one gets a sentence instead of a traceback.
"""

import sys

if sys.version_info < (3, 11):
    sys.stderr.write(
        "Wordreel needs Python 3.11 or later, and this is %d.%d.%d. Start it with a newer one, for example: python3.11 run.py\n"
        % tuple(sys.version_info[:3])
    )
    sys.exit(2)

import os
import signal
import subprocess

from launcher.environment import ROOT_PATH, is_set_up, python_path, venv_path
from launcher.faults import SetupError

USAGE = """\
Usage: python run.py [COMMAND] [OPTIONS]

Wordreel turns film clips into vocabulary lessons. Without a command it serves the app at http://127.0.0.1:8501.
The first start sets up .venv beside this file (about 1.6 GB, a minute on a usual line); --help installs nothing.

  serve            the app and a worker; opens the browser (--no-browser, --no-demo)
  setup            installs what is missing; --all adds the search models' libraries (several GB)
  test             sets up and runs every test
  doctor           versions, providers, models, disk, and what to fix
  vocab            import FILE --exam NAME, list
  discover         --csv FILE | --bundle NAME | --words a,b | --gaps NAME
  runs             list, show, pause, resume, cancel, retry
  review           next, decide, undo, queue
  coverage         how well each bundle is covered
  export           sends what is approved to a backend
  ingest, list     takes in films of your own: PATH...; shows them
  worker           a worker alone, on this machine or another
  queue            status, file-status, cancel, retry, healthchecks: long work, and who does it
  backup, restore  the workspace
  demo             status, remove: the demo clips

Every command has its own --help once Wordreel is set up.
"""

OWN_USAGE = {
    "setup": """\
Usage: python run.py setup [--all]

Installs what is missing; --all adds the search models' libraries (about 8 GB on Linux).
""",
    "test": """\
Usage: python run.py test [PYTEST ARGUMENTS]

Sets up and runs every check and test; with arguments, pytest alone.
""",
}
"""The two commands that this file answers itself."""


def hand_over(arguments: list[str]) -> None:
    """Become the command itself. The folder of the person who typed stays the current one."""
    python = str(python_path(venv_path()))
    search_path = os.pathsep.join(part for part in (str(ROOT_PATH), os.environ.get("PYTHONPATH")) if part)
    environ = {**os.environ, "PYTHONPATH": search_path}
    command = [python, "-P", "-m", "ui.cli", *arguments]  # -P: nothing in the current folder shadows our modules
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "nt":
        environ["PYTHONUTF8"] = "1"
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command itself answers Ctrl-C
        sys.exit(subprocess.call(command, env=environ))
    os.execve(python, command, environ)  # noqa: S606


def run(arguments: list[str]) -> int:
    command = arguments[0] if arguments else "serve"
    is_help = "--help" in arguments or "-h" in arguments
    if is_help and command in OWN_USAGE:
        print(OWN_USAGE[command], end="")
    elif is_help and not is_set_up():
        print(USAGE, end="")
    elif command == "setup":
        from launcher.installation import ensure_set_up

        unknown = [argument for argument in arguments[1:] if argument != "--all"]
        if unknown:
            raise SetupError(f"setup knows only --all, not {unknown[0]}.")
        ensure_set_up(["desk", "all"] if "--all" in arguments else ["desk"], is_asked=True)
    elif command == "test":
        from launcher.checks import run_tests
        from launcher.installation import ensure_set_up

        ensure_set_up(["desk", "dev"])
        return run_tests(arguments[1:])
    else:
        if not is_help:
            from launcher.installation import ensure_set_up

            ensure_set_up(["desk"])
        hand_over(arguments)
    return 0


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that pip is stopped too
    try:
        return run(sys.argv[1:])
    except SetupError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nInterrupted. The same command takes it up again.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
