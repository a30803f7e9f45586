"""Names of files that are still being written: which process, of which host, writes them; one that has ended will not go on."""

from __future__ import annotations

import os
import socket
import uuid

PART = ".part-"


def part_name() -> str:
    """A name that no other file has, for what this process writes until it is whole."""
    return f"{PART}{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"


def is_left_over(name: str) -> bool:
    """Whether its process, on this host, has ended. Of another host's nothing is known."""
    owner, _, _ = name.removeprefix(PART).rpartition("-")
    host, _, pid = owner.rpartition("-")
    if not name.startswith(PART) or host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process
        return False
    return False
