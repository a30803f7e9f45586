"""The running app for the journeys: `serve` as a process of its own with its worker, asked over HTTP as any client would."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import VARIABLES

REPO_PATH = Path(__file__).resolve().parents[2]
START_S = 90.0
DEMO_S = 180.0


class Server:
    """One `serve` over one workspace. `start` may be called again after `kill` or `stop`: the port stays."""

    def __init__(self, home_path: Path, *options: str, program_path: Path = REPO_PATH, settings: Mapping[str, str] | None = None) -> None:
        """`program_path`: what is served, a copy where `.env.secrets` will be written; `settings`: its environment beside the workspace."""
        self.home_path = home_path
        self.options = options
        self.program_path = program_path
        self.settings = dict(settings or {})
        self.port = _free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> Server:
        """Start and wait until the pages can be used. Raises: AssertionError with the log's end."""
        environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        environment |= {"WORDREEL_HOME": str(self.home_path), **self.settings}
        command = [sys.executable, "-m", "ui.cli", "serve", "--no-browser", "--port", str(self.port), *self.options]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.program_path, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.wait_for(lambda: self.ask("/api/health")["ok"], START_S, "the server to answer")
        return self

    @property
    def log_path(self) -> Path:
        return self.home_path.parent / f"{self.home_path.name}.log"

    def stop(self) -> None:
        """Ask it to end, as Ctrl-C does; the worker ends with it."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.kill()
        self.process = None

    def kill(self) -> None:
        """End it at once, without a chance to write anything, and its worker too."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=15)
        self.process = None

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The JSON of one address. Raises: urllib.error.URLError, and HTTPError for a refusal."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-Wordreel": "test"}
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data=data, headers=headers), timeout=30) as answer:
            return json.loads(answer.read())

    def wait_for(self, is_so: Any, within_s: float, what: str) -> None:
        """Poll until `is_so()`. Raises: AssertionError that names what was waited for."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            assert self.process is None or self.process.poll() is None, f"The server ended while waiting for {what}:\n{self._log()}"
            try:
                if is_so():
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.3)
        raise AssertionError(f"Waited {within_s:.0f} s for {what}.\n{self._log()}")

    def wait_for_demo(self) -> None:
        """Until the demo's films are made and its run has ended."""

        def is_made() -> bool:
            runs = self.ask("/api/runs")["runs"]
            return self.ask("/api/health")["demo"]["state"] == "ready" and bool(runs) and runs[0]["status"] == "succeeded"

        self.wait_for(is_made, DEMO_S, "the demo")

    def states(self) -> dict[int, str]:
        """The state of every mapping, decided ones too."""
        return {item["mapping_id"]: item["state"] for item in self.ask("/api/review/queue?all=true")["items"]}

    def _log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-3000:] if self.log_path.exists() else ""


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
