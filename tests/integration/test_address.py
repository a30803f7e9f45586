"""A port in use gets a line that says what to do, before anything is started."""

import socket

import pytest

from ui.cli.address import AddressUnusable, require_free


def test_a_free_port_passes_and_stays_free():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    require_free("127.0.0.1", port)
    require_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)) as server:
        assert server.getsockname()[1] == port


def test_a_port_in_use_names_itself_and_the_variable():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(AddressUnusable, match=f"Port {port} is in use") as caught:
            require_free("127.0.0.1", port)
    assert f"PORT={port + 1}" in caught.value.hint
    assert caught.value.exit_code == 2


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(AddressUnusable, match="no address of this machine"):
        require_free("192.0.2.7", 8501)
