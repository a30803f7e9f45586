"""The walls round every test hold."""

import os
import socket
import urllib.request
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.config import VARIABLES, load_config
from tests import conftest


@pytest.fixture
def forgiven():
    """These tests make attempts on purpose."""
    yield
    conftest._attempts.clear()


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("169.254.169.254", 80), ("2001:db8::1", 80, 0, 0)])
def test_an_address_beyond_this_machine_is_refused(address, forgiven):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock, pytest.raises(RuntimeError, match="loopback"):
        sock.connect(address)


def test_a_name_is_not_looked_up(forgiven):
    with pytest.raises(RuntimeError, match="loopback"):
        urllib.request.urlopen("http://wordreel.example/", timeout=1)


def test_loopback_is_open():
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5) as client:
        assert client.getpeername()[0] == "127.0.0.1"


def test_settings_come_from_nowhere_but_the_test(own_workspace: Path):
    config = load_config()
    assert config.home_path == own_workspace
    assert set(config.origins) == {"WORDREEL_HOME"}
    assert {name for name in VARIABLES if name in os.environ} == {"WORDREEL_HOME"}


@given(st.integers())
def test_properties_can_be_tested_here(number: int):
    assert int(str(number)) == number
