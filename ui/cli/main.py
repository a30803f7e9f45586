"""The tree of commands. Bodies import what they need when they run, so that `--help` stays fast."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper

import typer

from core.errors import InvalidInput, StoreError, WordreelError
from ui.cli import discover, exports, films, review, system, vocab
from ui.cli.output import INTERRUPTED, OUT, usage_error

PROGRAM = "python run.py"
"""What a person types."""

app = typer.Typer(
    name=PROGRAM,
    help="Wordreel turns film clips into vocabulary lessons. Without a command it serves the app.",
    epilog=f"`{PROGRAM} setup --all` adds the search models' libraries; `{PROGRAM} test` runs every test.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _default(context: typer.Context) -> None:
    """Serve the app when no command is named."""
    if context.invoked_subcommand is None:
        system.serve()


vocab.add_to(app)
discover.add_to(app)
review.add_to(app)
exports.add_to(app)
films.add_to(app)
system.add_to(app)


def main(arguments: list[str] | None = None) -> None:
    """Run one command. Exit 0, 1 for a bug, 2 for the user, 3 for a provider."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help")):
        arguments = ["serve", *arguments]
    OUT.is_json = "--json" in arguments
    if OUT.is_json:
        logging.getLogger().addHandler(logging.NullHandler())  # stderr is for the error object; those that stay set up their own log
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 shows what it can
    from typer._click.exceptions import ClickException, UsageError  # typer carries its own click; its public names lack these

    try:
        _require_text(arguments)
        code = app(arguments, prog_name=PROGRAM, standalone_mode=False) or 0
        if code == INTERRUPTED:  # typer turns Ctrl-C into this
            OUT.interrupted()
        sys.exit(code)
    except WordreelError as error:
        OUT.fail(error)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except ClickException as error:
        context = error.ctx if isinstance(error, UsageError) else None
        hint = f"`{context.command_path if context else PROGRAM} --help` shows what it takes."
        OUT.fail(usage_error(error.format_message() or "Name one of these commands.", hint))  # its help was just shown
    except (KeyboardInterrupt, typer.Abort):
        OUT.interrupted()
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        if not error.filename:
            OUT.fail_by_bug()
        OUT.fail(StoreError(f"{os.fsdecode(error.filename)}: {error.strerror}.", hint="See that it is there and may be read or written."))
    except Exception:  # noqa: BLE001 - the outermost door: a bug is shown without secrets
        OUT.fail_by_bug()


def _require_text(arguments: list[str]) -> None:
    """Raises: InvalidInput for an argument that is no text and names no file either."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            if not os.path.lexists(argument):
                raise InvalidInput(f"{argument!r} is not UTF-8 text.", hint="Type it again; nothing was done.") from None
