"""What a person sees while pip works: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

MEGABYTES = {"B": 1e-6, "kB": 1e-3, "MB": 1.0, "GB": 1e3}


class Progress:
    """Reads pip's lines and says how far it is."""

    def __init__(self, n_packages: int, site_packages: Path, stream: TextIO | None = None) -> None:
        self.n_packages = n_packages
        self.site_packages = site_packages
        self.stream = stream or sys.stdout
        self.is_live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.started = time.monotonic()
        self.n_found = 0
        self.n_megabytes = 0.0
        self.is_unpacking = False
        self.doing = "asking the package registry"
        self.last_plain = ""

    def read(self, line: str) -> None:
        """Take in one line of pip's."""
        found = re.match(r"(?:Collecting|Requirement already satisfied:) ([^\s;(]+)", line)
        fetched = re.match(r"\s*(?:Downloading|Using cached) (\S+?)(?: \(([\d.]+) ([kMG]?B)\))?\s*$", line)
        if found:
            self.n_found += 1
            self.doing = found[1].replace("==", " ")
        elif fetched and not fetched[1].endswith(".metadata"):
            self.n_megabytes += float(fetched[2] or 0) * MEGABYTES[fetched[3] or "B"]
        elif line.startswith("Installing collected packages"):
            self.is_unpacking = True
        self.tick()

    def tick(self) -> None:
        """Show where it stands; called at least twice a second."""
        if self.is_live:
            elapsed_s = int(time.monotonic() - self.started)
            text = f"  {self.text()}  {elapsed_s // 60}:{elapsed_s % 60:02d}"
            self.stream.write("\r" + text[: shutil.get_terminal_size().columns - 1] + "\x1b[K")
        else:
            done = self.n_unpacked() if self.is_unpacking else self.n_found
            step = f"{self.is_unpacking} {done // 25}"
            if step == self.last_plain:
                return
            self.last_plain = step
            self.stream.write(f"  {self.text()}\n")
        self.stream.flush()

    def text(self) -> str:
        """Where it stands, without the time."""
        if self.is_unpacking:
            return f"Unpacking {min(self.n_unpacked(), self.n_packages)} of {self.n_packages} packages"
        return f"Fetching {min(self.n_found, self.n_packages)} of {self.n_packages} packages, {self.n_megabytes:.0f} MB: {self.doing}"

    def n_unpacked(self) -> int:
        """How many packages lie in the environment; pip says nothing while it unpacks."""
        return sum(1 for _ in self.site_packages.glob("*.dist-info"))

    def close(self) -> None:
        """Clear the live line."""
        if self.is_live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
