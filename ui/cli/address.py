"""Whether the address to serve at is free, asked before anything is started."""

from __future__ import annotations

import errno
import socket

from core.errors import UserError


class AddressUnusable(UserError):
    """The server cannot listen where HOST and PORT say."""

    code = "address"


def require_free(host: str, port: int) -> None:
    """Return where a server can listen there now.

    Raises: AddressUnusable with the variable to change.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does: a port that was just left is free
            probe.bind(address)
            probe.listen(1)
    except socket.gaierror as error:
        raise AddressUnusable(f"{host} is no address of this machine.", hint="Set HOST to 127.0.0.1.") from error
    except OSError as error:
        raise _explained(host, port, error) from error


def _explained(host: str, port: int, error: OSError) -> AddressUnusable:
    if error.errno == errno.EADDRINUSE:
        other = port + 1 if port < 65535 else 8501
        hint = f"Wordreel may be running at http://{host}:{port} already; else stop the other program, or set PORT={other}."
        return AddressUnusable(f"Port {port} is in use.", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM):
        return AddressUnusable(f"Port {port} may not be opened by this user.", hint="Set PORT to 8501, or another above 1023.")
    if error.errno == errno.EADDRNOTAVAIL:
        return AddressUnusable(f"{host} is no address of this machine.", hint="Set HOST to 127.0.0.1.")
    return AddressUnusable(f"Cannot listen at {host}:{port}: {error.strerror}.", hint="Set HOST or PORT to another.")
