"""Downloads from addresses that somebody else named: refused at connect time, at each hop; no key for strangers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from core.adapters.safe_address import AddressRefused, GuardedTransport, check_address, is_public
from core.adapters.safe_download import DownloadLimits, LinkDead, SafeDownload
from core.errors import ProviderUnavailable

FILM = b"\0\0\0\x18ftypmp42" + bytes(500)
KEY = "download-secret"


class Host:
    """A loopback server that answers `routes`: path → (status, headers, body); it remembers what it was asked."""

    def __init__(self) -> None:
        self.routes: dict[str, tuple[int, dict[str, str], bytes]] = {"/film": (200, {}, FILM)}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                outer.asked.append((self.path, dict(self.headers)))
                status, headers, body = outer.routes.get(self.path.partition("?")[0], (404, {}, b""))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def own() -> Iterator[Host]:
    host = Host()
    yield host
    host.close()


@pytest.fixture
def inner() -> Iterator[Host]:
    """Something of this machine that nobody outside may reach."""
    host = Host()
    yield host
    host.close()


def download(own: Host, resolve=lambda host, port: ["127.0.0.1"]) -> SafeDownload:  # type: ignore[no-untyped-def]
    return SafeDownload(own.url, (KEY,), DownloadLimits(timeout_s=2.0, deadline_s=4.0, connect_timeout_s=1.0), resolve)


def test_the_own_host_is_trusted_though_it_is_here(own: Host, tmp_path: Path) -> None:
    assert download(own).fetch(f"{own.url}/film?api_key={KEY}", tmp_path / "clip.mp4") == len(FILM)
    assert (tmp_path / "clip.mp4").read_bytes() == FILM
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


HIDDEN = [
    "http://127.0.0.1:{port}/film",
    "http://127.1:{port}/film",
    "http://localhost:{port}/film",
    "http://2130706433:{port}/film",
    "http://017700000001:{port}/film",
    "http://0177.0.0.1:{port}/film",
    "http://0x7f.0.0.1:{port}/film",
    "http://0x7f000001:{port}/film",
    "http://0:{port}/film",
    "http://0.0.0.0:{port}/film",
    "http://[::1]:{port}/film",
    "http://[::]:{port}/film",
    "http://[::ffff:127.0.0.1]:{port}/film",
    "http://[::ffff:7f00:1]:{port}/film",
    "http://[64:ff9b::7f00:1]:{port}/film",
    "http://[2002:7f00:1::]:{port}/film",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fe80::1]:{port}/film",
    "http://[fd00::1]:{port}/film",
    "http://10.0.0.1/film",
    "http://192.168.1.1/film",
    "http://172.16.0.1/film",
    "http://100.64.0.1/film",
    "http://224.0.0.1/film",
    "http://good.example@127.0.0.1:{port}/film",
    "http://127.0.0.1:{port}@127.0.0.1:{port}/film",
    "http://rebound.example:{port}/film",
    "file:///etc/passwd",
    "ftp://127.0.0.1/film",
    "gopher://127.0.0.1:{port}/_x",
    "//127.0.0.1:{port}/film",
    "data:text/plain,hello",
]


@pytest.mark.parametrize("address", HIDDEN)
@pytest.mark.parametrize("is_by_redirect", [False, True])
def test_addresses_inside_are_refused_before_anything_is_sent(
    own: Host, inner: Host, tmp_path: Path, address: str, is_by_redirect: bool
) -> None:
    address = address.format(port=inner.port)
    link = address
    if is_by_redirect:
        own.routes["/go"] = (302, {"Location": address}, b"")
        link = f"{own.url}/go"
    with pytest.raises(AddressRefused):
        download(own).fetch(link, tmp_path / "clip.mp4")
    assert inner.asked == []
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_public_once_and_inside_then_is_connected_to_as_checked(own: Host, inner: Host, tmp_path: Path) -> None:
    """DNS rebinding: what is connected to is the very answer that was checked, and one bad answer among good ones is enough."""
    answers = iter([["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return next(answers)

    with pytest.raises(AddressRefused):
        download(own, resolve).fetch(f"http://rebound.example:{inner.port}/film", tmp_path / "clip.mp4")
    assert asked == ["rebound.example"]
    assert inner.asked == []


def test_it_connects_to_the_checked_address_with_the_name_in_the_request(own: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.adapters import safe_address

    monkeypatch.setattr(safe_address, "is_public", lambda address: True)
    with httpx.Client(transport=GuardedTransport(lambda host, port: ["127.0.0.1"])) as client:
        answer = client.get(f"http://cdn.example:{own.port}/film")
    assert answer.content == FILM
    assert own.asked[0][1]["Host"] == f"cdn.example:{own.port}"


def test_a_redirect_to_another_host_drops_credentials(own: Host, inner: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.adapters import safe_address

    monkeypatch.setattr(safe_address, "is_public", lambda address: True)
    own.routes["/go"] = (302, {"Location": f"http://cdn.example:{inner.port}/film?api_key={KEY}&sign={KEY}x&part=7"}, b"")
    download(own).fetch(f"{own.url}/go?api_key={KEY}", tmp_path / "clip.mp4")
    path, headers = inner.asked[0]
    assert path == "/film?part=7"
    assert KEY not in repr(headers)
    assert "Referer" not in headers


def test_a_redirect_within_the_own_host_passes_the_gate_again(own: Host, tmp_path: Path) -> None:
    own.routes["/go"] = (307, {"Location": "/film"}, b"")
    seen: list[str] = []

    class Gate:
        def pass_through(self) -> None:
            seen.append("out")

        def answered(self) -> None:
            seen.append("back")

    download(own).fetch(f"{own.url}/go?api_key={KEY}", tmp_path / "clip.mp4", Gate())
    assert seen == ["out", "back", "out", "back"]


@pytest.mark.parametrize("link", ["", "http://", "https:///film", "http://[", "\x00"])
def test_a_link_that_is_none_is_refused(own: Host, tmp_path: Path, link: str) -> None:
    with pytest.raises(AddressRefused):
        download(own).fetch(link, tmp_path / "clip.mp4")


def test_redirects_without_end(own: Host, tmp_path: Path) -> None:
    own.routes["/go"] = (302, {"Location": "/go"}, b"")
    with pytest.raises(ProviderUnavailable):
        download(own).fetch(f"{own.url}/go", tmp_path / "clip.mp4")
    assert len(own.asked) == 5


def test_a_host_that_is_not_found_was_not_asked(own: Host, tmp_path: Path) -> None:
    def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such host")

    with pytest.raises(LinkDead, match=r"nowhere\.example cannot be found"):
        download(own, resolve).fetch("http://nowhere.example/film", tmp_path / "clip.mp4")


def test_what_is_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")
    for inside in (
        "127.0.0.1",
        "::1",
        "::ffff:10.0.0.1",
        "169.254.1.1",
        "fe80::1%eth0",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "255.255.255.255",
        "x",
    ):
        assert not is_public(inside)
    check_address(httpx.URL("https://cdn.example/film.mp4"))
    check_address(httpx.URL("https://93.184.216.34/film.mp4"))
