"""Keeps one worker process alive beside the server, and ends it with the server."""

from __future__ import annotations

import logging
import os
import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

from core.config import ROOT_PATH

log = logging.getLogger("wordreel.server")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0
"""A worker that lived so long was well: the next pause is the first again."""
STOP_S = 5.5
"""A worker ends itself within 5 s of SIGTERM; what is left then is killed."""


class WorkerKeeper:
    """Starts the command, starts it again when it ends, and stops it. It has its own process group: Ctrl-C reaches only the server."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = [*command, "--parent-pid", str(os.getpid())]
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._n_restarts = 0
        self._last_exit: int | None = None
        self._fault = ""

    def start(self) -> None:
        """Start the worker and watch over it."""
        self._thread = threading.Thread(target=self._watch, name="worker keeper", daemon=True)
        self._thread.start()

    def state(self) -> dict[str, Any]:
        """For health: `{"pid", "restarts", "last_exit", "fault"}`."""
        process = self._process
        is_running = process is not None and process.poll() is None
        return {
            "pid": process.pid if process is not None and is_running else None,
            "restarts": self._n_restarts,
            "last_exit": self._last_exit,
            "fault": self._fault,
        }

    def ask_to_stop(self) -> None:
        """Tell the worker to end, without waiting; to be called as soon as the server is told to."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def stop(self) -> None:
        """End the worker and wait for it. May be repeated."""
        self.ask_to_stop()
        process = self._process
        if process is None:
            return
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            log.warning("worker process %s did not end in time and is killed", process.pid)
            process.kill()
            process.wait()

    def _watch(self) -> None:
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            if not self._spawn():
                return
            process = self._process
            assert process is not None
            code = process.wait()
            if self._stopping.is_set():
                return
            pause_s = FIRST_PAUSE_S if time.monotonic() - began > STEADY_S else min(LONGEST_PAUSE_S, pause_s * 2)
            self._last_exit, self._n_restarts = code, self._n_restarts + 1
            self._fault = f"The worker ended with {code}; it is started again in {pause_s:.0f} s."
            log.warning("%s", self._fault)
            self._stopping.wait(pause_s)

    def _spawn(self) -> bool:
        search_path = os.pathsep.join(part for part in (str(ROOT_PATH), os.environ.get("PYTHONPATH")) if part)
        with self._lock:
            if self._stopping.is_set():
                return False
            self._process = subprocess.Popen(
                self._command, start_new_session=True, stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": search_path}
            )
            self._fault = ""
        return True
