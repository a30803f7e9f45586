"""One line for each way that set-up can fail: what happened, and what to do."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
from collections.abc import Iterator
from pathlib import Path

LOG = "wordreel-setup.log"
"""Inside the environment: all that the installer said."""


class SetupError(Exception):
    """Set-up cannot go on. The message is one line that says what happened and what to do.

    `exit_code`: 2 where the person can mend it, 3 where the package registry did not do its part.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


AGAIN = "then run the same command again."
ELSEWHERE = f"or set WORDREEL_VENV to a folder on another disk, {AGAIN}"
UNREACHABLE = (
    "NameResolutionError",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "NewConnectionError",
    "Network is unreachable",
    "No route to host",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Connection refused",
    "Connection broken",
    "ConnectionResetError",
    "RemoteDisconnected",
    "ProtocolError",
    "ProxyError",
)
"""How pip and the libraries in it say that nobody answers."""

FAULTS: tuple[tuple[str, int, str], ...] = (
    (
        r"No space left on device|Errno 28\b|Disk quota exceeded",
        2,
        f"The disk is full: free some space (a first set-up wants 4 GB), {ELSEWHERE}",
    ),
    (
        r"Read-only file system|Errno 30\b|Permission denied|Errno 13\b",
        2,
        f"{{venv}} cannot be written: make it writable, or set WORDREEL_VENV to a folder of your own, {AGAIN}",
    ),
    (
        r"ensurepip is not available|No module named '?(?:venv|ensurepip)",
        2,
        f"This Python has no venv module. On Debian and Ubuntu: apt install python3-venv, {AGAIN}",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError",
        3,
        f"The package registry's certificate is not trusted here: set PIP_CERT to your network's certificate file, {AGAIN}",
    ),
    (
        "|".join(UNREACHABLE),
        3,
        f"The package registry cannot be reached: check the network (or HTTPS_PROXY), {AGAIN}",
    ),
    (
        r"Failed building wheel for (?P<name>\S+)",
        2,
        "{name} has no ready-made package for this Python ({python}): use Python 3.11, 3.12 or 3.13, or install a C compiler to build it.",
    ),
    (
        r"No matching distribution found for (?P<name>\S+)",
        2,
        "The package registry has no {name} for this Python ({python}) and machine: use Python 3.11, 3.12 or 3.13, or check PIP_INDEX_URL.",
    ),
)
"""What pip or venv said, the exit code, and the line that says what to do. The first that fits counts: a full disk or a
dead network also ends in "no matching distribution"."""


def explained(output: str, venv: Path) -> SetupError:
    """The one line for what `venv` or `pip` said as it failed."""
    for pattern, exit_code, line in FAULTS:
        match = re.search(pattern, output)
        if match:
            name = next((found for found in match.groupdict().values() if found), "A package")
            return SetupError(line.format(venv=venv, name=name, python="{}.{}".format(*sys.version_info)), exit_code)
    errors = re.findall(r"^(?:ERROR|Error): (.+)$", output, re.MULTILINE)
    said = errors[-1] if errors else "the installer ended early"
    return SetupError(f"Set-up failed: {said} (all of it is in {venv / LOG}).", 1)


@contextlib.contextmanager
def told_plainly(venv: Path) -> Iterator[None]:
    """Turn what the operating system refuses into one line."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise explained("Errno 28", venv) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise explained("Errno 13", venv) from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            raise SetupError(f"{venv} is not a folder: move it away, or set WORDREEL_VENV to another folder.") from error
        raise
