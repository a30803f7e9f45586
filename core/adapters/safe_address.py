"""Connections to the public internet alone: an address that somebody else names is resolved, checked, and then connected to as checked."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast

import httpcore
import httpx

from core.errors import ProviderError

Resolve = Callable[[str, int], Sequence[str]]
"""A host and port → the addresses that the name stands for, in order of preference."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(ProviderError):
    """An address that leads into this machine or its network; nothing was sent there."""

    code = "address_refused"


def resolve_host(host: str, port: int) -> Sequence[str]:
    """As the system does. Raises: OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Whether an IP address lies on the public internet; an IPv4 address inside an IPv6 one counts as that."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip.sixtofour is not None or ip.teredo is not None or ip in NAT64:
            return False
    return ip.is_global and not ip.is_multicast


def check_address(url: httpx.URL) -> None:
    """What can be refused before anything is looked up. Raises: AddressRefused."""
    if url.scheme not in ("http", "https"):
        raise AddressRefused(f"An address that begins with {url.scheme[:20] or 'nothing'}: is not fetched; only http and https are.")
    if url.userinfo:
        raise AddressRefused("An address with a sign-in (`@`) is not fetched.")
    if not url.host:
        raise AddressRefused("An address without a host is not fetched.")
    last = url.host.rstrip(".").rpartition(".")[2]
    is_number = re.fullmatch(r"\d+|0[xX][0-9a-fA-F]*", last) is not None
    if is_number and not re.fullmatch(r"(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}", url.host):
        raise AddressRefused(f"The host {url.host[:60]} is a number in disguise; it is not connected to.")


class GuardedNetwork(httpcore.NetworkBackend):
    """Connects to public addresses only, each time to the very address that was checked."""

    def __init__(self, resolve: Resolve = resolve_host) -> None:
        self._resolve = resolve
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Raises: AddressRefused when any address of the name is not public; httpcore.ConnectError."""
        try:
            addresses = [host] if _is_address(host) else list(self._resolve(host, port))
        except OSError as error:
            raise httpcore.ConnectError(f"{host[:100]} cannot be found") from error
        refused = [address for address in addresses if not is_public(address)]
        if refused or not addresses:
            where = refused[0] if refused else "nowhere"
            raise AddressRefused(f"{host[:100]} leads to {where}, which is not on the public internet; nothing was sent there.")
        return self._network.connect_tcp(addresses[0], port, timeout, local_address, socket_options)

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> httpcore.NetworkStream:
        """Never. Raises: AddressRefused."""
        raise AddressRefused("A socket of this machine is not connected to.")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


class GuardedTransport(httpx.BaseTransport):
    """httpx over a guarded network: no proxy, no kept connections."""

    def __init__(self, resolve: Resolve = resolve_host) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(), network_backend=GuardedNetwork(resolve), max_keepalive_connections=0
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises: AddressRefused, httpx.TransportError."""
        url = httpcore.URL(scheme=request.url.raw_scheme, host=request.url.raw_host, port=request.url.port, target=request.url.raw_path)
        inner = httpcore.Request(request.method, url, headers=request.headers.raw, extensions=request.extensions)
        try:
            answer = self._pool.handle_request(inner)
        except HTTPCORE_ERRORS as error:
            raise _as_httpx(error) from error
        stream = _Body(cast("Iterable[bytes]", answer.stream))
        return httpx.Response(answer.status, headers=answer.headers, stream=stream, extensions=answer.extensions)

    def close(self) -> None:
        self._pool.close()


HTTPCORE_ERRORS = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
)


def _as_httpx(error: Exception) -> httpx.TransportError:
    """The error of httpx with the same name: its tree mirrors httpcore's."""
    kind = getattr(httpx, type(error).__name__, httpx.TransportError)
    return cast("httpx.TransportError", kind(str(error)))


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except HTTPCORE_ERRORS as error:
            raise _as_httpx(error) from error

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()
