"""What commands print: tables for people on stdout, progress on stderr, and with `--json` one JSON document alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from core.errors import UserError, WordreelError

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""


class Output:
    """Where one command's answer goes. `is_json` is set by the command's `--json`."""

    def __init__(self) -> None:
        self.is_json = False

    @property
    def is_terminal(self) -> bool:
        """Whether progress is drawn as a bar."""
        return not self.is_json and sys.stderr.isatty()

    def answer(self, document: object, *lines: str) -> None:
        """Print the answer: the document for machines, the lines for people."""
        try:
            if self.is_json:
                sys.stdout.write(json.dumps(document, ensure_ascii=True, default=str) + "\n")
            else:
                for line in lines:
                    sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read has enough; the work is done all the same
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def table(self, document: object, heads: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str, after: str = "") -> None:
        """Print rows under heads; numbers to the right."""
        if self.is_json:
            self.answer(document)
            return
        if not rows:
            self.answer(document, empty)
            return
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(len(head), *(len(row[place]) for row in cells)) for place, head in enumerate(heads)]
        is_number = [all(isinstance(row[place], (int, float)) or row[place] is None for row in rows) for place in range(len(heads))]
        lines = [_line(heads, widths, is_number), *(_line(row, widths, is_number) for row in cells)]
        self.answer(document, *lines, *([after] if after else []))

    def say(self, line: str) -> None:
        """A remark on stderr, for people only."""
        if not self.is_json:
            sys.stderr.write(line + "\n")

    def ask(self, question: str) -> bool:
        """A question on stderr, answered by `y` or `yes`; only where `is_asking_allowed`."""
        sys.stderr.write(f"{question} [y/N]: ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def fail(self, error: WordreelError) -> NoReturn:
        """Say what went wrong on stderr, nothing on stdout, and end with the error's exit code."""
        if self.is_json:
            sys.stderr.write(json.dumps(error.as_json(), ensure_ascii=True) + "\n")
        else:
            sys.stderr.write(f"{error.message}\n")
            if error.hint:
                sys.stderr.write(f"{error.hint}\n")
        raise SystemExit(error.exit_code)

    def interrupted(self) -> NoReturn:
        """End after Ctrl-C."""
        error = UserError("Interrupted.", hint="The same command takes it up again; nothing is done twice.")
        error.code = "interrupted"
        error.exit_code = INTERRUPTED
        self.fail(error)

    def fail_by_bug(self) -> NoReturn:
        """Show the traceback of what is being handled, without secrets; with `--json` the error object is the last line."""
        import traceback

        from ui.cli.logs import without_secrets

        sys.stderr.write(without_secrets(traceback.format_exc()))
        error = WordreelError(f"A fault in Wordreel: {type(sys.exc_info()[1]).__name__}.", hint="Please report it with the lines above.")
        error.code = "bug"
        self.fail(error)

    @contextmanager
    def progress(self, label: str) -> Iterator[Any]:
        """A bar on a terminal; elsewhere nothing. Yields `update(done, total, detail)`."""
        if not self.is_terminal:
            yield lambda done, total, detail="": None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(label, total=None, detail="")
            yield lambda done, total, detail="": bar.update(task, completed=done, total=total or None, detail=detail)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _line(cells: Sequence[str], widths: Sequence[int], is_number: Sequence[bool]) -> str:
    padded = [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in zip(cells, widths, is_number, strict=True)]
    return "  ".join(padded).rstrip()


OUT = Output()
"""The one output of a process that runs one command."""


def is_asking_allowed() -> bool:
    """Whether a command may ask: never with `--json` or without a terminal."""
    return not OUT.is_json and sys.stdin.isatty() and sys.stderr.isatty()


def usage_error(message: str, hint: str = "") -> UserError:
    """Wrong words on the command line."""
    error = UserError(message, hint=hint)
    error.code = "usage"
    return error
