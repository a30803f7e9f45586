"""What every test gets: its own workspace, no secrets, no network but loopback, and no patience for a deadline."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import core.config

REPO_PATH = Path(__file__).resolve().parent.parent
MEDIA_PATH = Path(os.environ.get("WORDREEL_TEST_MEDIA") or REPO_PATH.parent / "shared" / "media")

hypothesis.settings.register_profile("ci", deadline=None, print_blob=True)
hypothesis.settings.load_profile("ci")


class NetworkBlocked(RuntimeError):
    """A test tried to reach something beyond this machine."""


_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_sendto = socket.socket.sendto
_real_getaddrinfo = socket.getaddrinfo
_attempts: list[str] = []


def _is_here(host: object) -> bool:
    """Whether an address means this machine. A name does only when it is its own name or `localhost`."""
    if host is None or host == "":
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    if text in ("localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified


def _is_numeric(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse(address: object) -> None:
    _attempts.append(repr(address))
    raise NetworkBlocked(f"Tests reach nothing but loopback; this one tried {address!r}.")


def _check(sock: socket.socket, address: object) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and isinstance(address, tuple) and not _is_here(address[0]):
        _refuse(address)


def _connect(self: socket.socket, address):  # type: ignore[no-untyped-def]
    _check(self, address)
    return _real_connect(self, address)


def _connect_ex(self: socket.socket, address):  # type: ignore[no-untyped-def]
    _check(self, address)
    return _real_connect_ex(self, address)


def _sendto(self: socket.socket, data, *rest):  # type: ignore[no-untyped-def]
    _check(self, rest[-1])
    return _real_sendto(self, data, *rest)


def _getaddrinfo(host, *rest, **named):  # type: ignore[no-untyped-def]
    if not _is_here(host) and not _is_numeric(host):  # a number is looked up nowhere
        _refuse(host)
    return _real_getaddrinfo(host, *rest, **named)


def pytest_configure(config: pytest.Config) -> None:
    """Close the network before anything is imported for a test."""
    socket.socket.connect = _connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = _sendto  # type: ignore[method-assign]
    socket.getaddrinfo = _getaddrinfo


def pytest_unconfigure(config: pytest.Config) -> None:
    """Open it again for whoever runs pytest from inside another program."""
    socket.socket.connect = _real_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _real_connect_ex  # type: ignore[method-assign]
    socket.socket.sendto = _real_sendto  # type: ignore[method-assign]
    socket.getaddrinfo = _real_getaddrinfo


@pytest.fixture(autouse=True)
def own_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A workspace of its own for each test, and none of the operator's settings.

    Yields the path that WORDREEL_HOME names; it does not exist yet. A test that let an attempt to reach the network pass
    unnoticed fails here.
    """
    for name in core.config.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    home_path = tmp_path / "workspace"
    monkeypatch.setenv("WORDREEL_HOME", str(home_path))
    # A developer's own .env and .env.secrets beside run.py stay unread.
    monkeypatch.setitem(core.config.load_config.__kwdefaults__, "root_path", tmp_path)
    _attempts.clear()
    yield home_path
    assert not _attempts, f"This test tried to reach {', '.join(_attempts)}; tests reach nothing but loopback."


@pytest.fixture(scope="session")
def media_path() -> Path:
    """The folder of real test media, read in place and never written."""
    if not (MEDIA_PATH / "speech.json").is_file():
        pytest.fail(f"The test media are not at {MEDIA_PATH}: put them there, or set WORDREEL_TEST_MEDIA to their folder.", pytrace=False)
    return MEDIA_PATH
