"""A loopback ClipCafe: its wire format, its limits counted in a true sliding window, its links that die, and every way to misbehave."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.loopback.clipcafe_corpus import CorpusClip

KEY = "cc-secret-key-3141"
LINK_LIFE_S = 300.0
WINDOW_S = 60.0


class Misbehaviour(StrEnum):
    """How the answer to one request goes wrong. It is counted as answered only where the note says so."""

    CUT = "cut"
    """Half of the body, then the connection is closed; counted."""
    CUT_BEFORE = "cut_before"
    """The connection is closed without an answer; not counted."""
    SILENT = "silent"
    """No answer for `silence_s`; counted."""
    ONE_BYTE = "one_byte"
    """A byte every 50 ms, head and all; counted."""
    GZIP = "gzip"
    """A good answer, packed although not asked for; counted."""
    GZIP_BOMB = "gzip_bomb"
    HUGE = "huge"
    """Says 2 GB, and sends without end."""
    ENDLESS = "endless"
    """Says no length, and sends without end."""
    HTML_200 = "html_200"
    EMPTY_200 = "empty_200"
    CUT_JSON = "cut_json"
    OTHER_JSON = "other_json"
    NO_HITS_KEY = "no_hits_key"
    ERROR_400 = "error_400"
    UNAUTHORIZED_401 = "unauthorized_401"
    FORBIDDEN_403 = "forbidden_403"
    MISSING_404 = "missing_404"
    GONE_410 = "gone_410"
    RATE_429 = "rate_429"
    """With `retry_after` where that is set."""
    ERROR_500 = "error_500"
    """The message repeats the request's address, key and all."""
    GATEWAY_502 = "gateway_502"
    REDIRECT = "redirect"
    """To `redirect_to`."""
    ZIP = "zip"
    PLAYLIST = "playlist"
    NO_LINKS = "no_links"
    """A good answer whose links are null; counted."""


PLAIN = {
    Misbehaviour.HTML_200: (200, "text/html", b"<html>Welcome to the hotel's network</html>"),
    Misbehaviour.EMPTY_200: (200, "application/json", b""),
    Misbehaviour.CUT_JSON: (200, "application/json", b'{"hits": {"hits": [{"_source": {"slug": "a'),
    Misbehaviour.OTHER_JSON: (200, "application/json", b'{"error": "try again"}'),
    Misbehaviour.NO_HITS_KEY: (200, "application/json", b'{"hits": null}'),
    Misbehaviour.ERROR_400: (400, "application/json", b'{"error": "bad request"}'),
    Misbehaviour.UNAUTHORIZED_401: (401, "application/json", b'{"error": "unknown api_key"}'),
    Misbehaviour.FORBIDDEN_403: (403, "application/json", b'{"error": "not your plan"}'),
    Misbehaviour.MISSING_404: (404, "text/html", b"<h1>Not Found</h1>"),
    Misbehaviour.GONE_410: (410, "text/html", b"<h1>Gone</h1>"),
    Misbehaviour.RATE_429: (429, "application/json", b'{"error": "slow down"}'),
    Misbehaviour.GATEWAY_502: (502, "text/html", b"<h1>Bad Gateway</h1>"),
    Misbehaviour.ZIP: (200, "video/mp4", b"PK\x03\x04" + bytes(2000)),
    Misbehaviour.PLAYLIST: (200, "video/mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
}
JUNK = frozenset({Misbehaviour.ZIP, Misbehaviour.PLAYLIST, Misbehaviour.HUGE, Misbehaviour.ENDLESS})
COUNTED = frozenset({Misbehaviour.CUT, Misbehaviour.SILENT, Misbehaviour.ONE_BYTE, Misbehaviour.GZIP, Misbehaviour.NO_LINKS})


class LoopbackClipCafe:
    """`with LoopbackClipCafe(corpus, films) as server:` — `server.url` is what CLIPCAFE_BASE_URL would be.

    Args:
        corpus: all that can be found. film_of: the bytes of a clip.
        scale: how many times faster its clock runs: the window of a minute and the life of a link are so much shorter.
        limit: requests in any minute of its clock, counted when they arrive; one more is answered 429. None for no limit.
        latency_s: how long each answer takes, in real seconds.
    """

    def __init__(
        self,
        corpus: Sequence[CorpusClip],
        film_of: Callable[[CorpusClip], bytes] = lambda clip: b"\0\0\0\x18ftypmp42" + clip.slug.encode(),
        *,
        scale: float = 1.0,
        limit: int | None = 10,
        latency_s: float = 0.0,
        requests_a_month: int | None = None,
        downloads_a_month: int | None = None,
        key: str = KEY,
    ) -> None:
        self.corpus = list(corpus)
        self.film_of = film_of
        self.scale, self.limit, self.latency_s, self.key = scale, limit, latency_s, key
        self.requests_a_month, self.downloads_a_month = requests_a_month, downloads_a_month
        self.silence_s = 3.0
        self.retry_after: str | None = "1"
        self.redirect_to = ""
        self.ignores_from = False
        self.spoil: Callable[[str, dict[str, object]], dict[str, object]] = lambda slug, raw: raw
        """How a hit's own fields are told: some null, missing, empty, of another kind or under older names."""
        self.arrivals: list[tuple[float, str]] = []
        """(monotonic seconds, operation) of every request that came, those answered 429 too."""
        self.answered: Counter[str] = Counter()
        """By operation: what the provider counts as done."""
        self.answered_calls: Counter[tuple[str, str]] = Counter()
        """By operation and what was asked for."""
        self.delivered_junk: Counter[str] = Counter()
        """By operation: bodies that were sent whole, or without end, and are no answer. A real one would count them too."""
        self.n_429 = 0
        """Of its own making; those told by `misbehave` are not counted."""
        self.asked: list[dict[str, str]] = []
        self.wrong_for: dict[tuple[str, str], list[Misbehaviour]] = {}
        """(operation, word or slug) → how the next requests for just that go wrong."""
        self._misbehaviours: dict[str, deque[Misbehaviour]] = defaultdict(deque)
        self._window: deque[float] = deque()
        self._links: dict[str, tuple[str, float]] = {}
        self._by_slug = {clip.slug: clip for clip in self.corpus}
        self._found: dict[str, list[CorpusClip]] = {}
        self._n_links = 0
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"world": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> LoopbackClipCafe:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def window_s(self) -> float:
        """The provider's minute, in real seconds."""
        return WINDOW_S / self.scale

    def misbehave(self, operation: str, *kinds: Misbehaviour) -> None:
        """The next requests of an operation (`search`, `link`, `download`, or `any`) go wrong, one after the other."""
        self._misbehaviours[operation].extend(kinds)

    def most_in_a_window(self) -> int:
        """The most requests that came in any window of a minute of its clock."""
        ordered = sorted(at for at, _ in self.arrivals)
        first, most = 0, 0
        for last, at in enumerate(ordered):
            while at - ordered[first] > self.window_s:
                first += 1
            most = max(most, last - first + 1)
        return most

    def n_arrived(self, operation: str = "") -> int:
        return sum(1 for _, kind in self.arrivals if operation in ("", kind))

    def find(self, word: str) -> list[CorpusClip]:
        """Every clip with the word, most viewed first."""
        with self._lock:
            if word not in self._found:
                self._found[word] = sorted((clip for clip in self.corpus if clip.holds(word)), key=lambda clip: -clip.views)
            return self._found[word]

    def arrive(self, operation: str, params: dict[str, str]) -> tuple[Misbehaviour | None, tuple[int, str, bytes] | None]:
        """Count one request: how it is to go wrong, or the refusal that it gets."""
        at = time.monotonic()
        with self._lock:
            self.arrivals.append((at, operation))
            self.asked.append(params)
            while self._window and at - self._window[0] > self.window_s:
                self._window.popleft()
            if self.limit is not None and len(self._window) >= self.limit:
                self.n_429 += 1
                return None, (429, "application/json", b'{"error": "too many requests"}')
            self._window.append(at)
            if meant := self.wrong_for.get((operation, params.get("slug") or params.get("transcript", ""))):
                return meant.pop(0), None
            queue = self._misbehaviours[operation] or self._misbehaviours["any"]
            if queue:
                return queue.popleft(), None
            is_over = self.requests_a_month is not None and len(self.arrivals) - self.n_429 > self.requests_a_month
            if is_over or (
                operation == "download" and self.downloads_a_month is not None and self.answered["download"] >= self.downloads_a_month
            ):
                return None, (429, "application/json", b'{"error": "the quota of the month is used up"}')
        if params.get("api_key") != self.key:
            return None, (401, "application/json", b'{"error": "unknown api_key"}')
        return None, None

    def count(self, operation: str, params: dict[str, str]) -> None:
        what = params.get("slug") or f"{params.get('transcript', '')}@{params.get('from', '0')}"
        with self._lock:
            self.answered[operation] += 1
            self.answered_calls[operation, what] += 1

    def answer_search(self, params: dict[str, str], *, has_links: bool = True) -> bytes:
        if "slug" in params:
            found = [self._by_slug[params["slug"]]] if params["slug"] in self._by_slug else []
        else:
            found = self.find(params.get("transcript", ""))
        start = 0 if self.ignores_from else int(params.get("from", "0"))
        page = found[start : start + int(params.get("size", "10"))]
        told = [clip.raw(self._new_link(clip) if has_links else None) for clip in page]  # type: ignore[arg-type]
        rows = [{"_id": str(clip.number), "_source": self.spoil(clip.slug, raw)} for clip, raw in zip(page, told, strict=True)]
        return json.dumps({"took": 3, "hits": {"total": {"value": len(found), "relation": "eq"}, "hits": rows}}).encode()

    def _new_link(self, clip: CorpusClip) -> str:
        with self._lock:
            self._n_links += 1
            token = f"k{self._n_links:06d}"
            self._links[token] = (clip.slug, time.monotonic() + LINK_LIFE_S / self.scale)
        return f"{self.url}?{urlencode({'api_key': self.key, 'slug': clip.slug, 'key': token})}"

    def forget(self, slug: str) -> None:
        """The clip is taken down, and its links with it."""
        with self._lock:
            self._by_slug.pop(slug, None)
            self._links.clear()

    def kill_links(self) -> None:
        """Every link that is out dies at once."""
        with self._lock:
            self._links.clear()

    def answer_download(self, params: dict[str, str]) -> tuple[int, str, bytes]:
        with self._lock:
            slug, until_s = self._links.get(params["key"], ("", 0.0))
        if slug != params.get("slug") or slug not in self._by_slug or time.monotonic() > until_s:
            return 403, "application/json", b'{"error": "link expired"}'
        return 200, "video/mp4", self.film_of(self._by_slug[slug])


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is no error here."""


class _Handler(BaseHTTPRequestHandler):
    world: LoopbackClipCafe
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        world = self.world
        params = {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}
        operation = "download" if "key" in params else "link" if "slug" in params else "search"
        wrong, refusal = world.arrive(operation, params)
        if world.latency_s:
            time.sleep(world.latency_s)
        if refusal is not None:
            self._send(*refusal)
            return
        if wrong in JUNK:
            with world._lock:
                world.delivered_junk[operation] += 1
        if wrong in PLAIN:
            self._send(*PLAIN[wrong])
            return
        if wrong is not None and wrong not in COUNTED:
            self._misbehave(wrong)
            return
        if operation == "download":
            status, kind, body = world.answer_download(params)
        else:
            status, kind, body = 200, "application/json", world.answer_search(params, has_links=wrong is not Misbehaviour.NO_LINKS)
        if status == 200:
            world.count(operation, params)
        if wrong in (None, Misbehaviour.NO_LINKS):
            self._send(status, kind, body)
            return
        self._send_badly(wrong, kind, body)

    def _send(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 429 and self.world.retry_after is not None:
            self.send_header("Retry-After", self.world.retry_after)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def _send_badly(self, wrong: Misbehaviour | None, kind: str, body: bytes) -> None:
        self.close_connection = True
        if wrong is Misbehaviour.GZIP:
            self._send(200, kind, gzip.compress(body), Content_Encoding="gzip")
            return
        if wrong is Misbehaviour.SILENT:
            time.sleep(self.world.silence_s)
            self._send(200, kind, body)
            return
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        if wrong is Misbehaviour.CUT:
            self.wfile.write(head + body[: len(body) // 2])
            return
        for byte in head + body:  # one byte at a time
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.05)

    def _misbehave(self, wrong: Misbehaviour) -> None:
        self.close_connection = True
        if wrong is Misbehaviour.CUT_BEFORE:
            self.connection.shutdown(socket.SHUT_RDWR)
        elif wrong is Misbehaviour.ERROR_500:
            self._send(500, "application/json", json.dumps({"error": f"failed at {self.path}"}).encode())
        elif wrong is Misbehaviour.REDIRECT:
            self._send(302, "text/html", b"", Location=self.world.redirect_to)
        elif wrong is Misbehaviour.GZIP_BOMB:
            self._send(200, "application/json", gzip.compress(b" " * 200_000_000, 1), Content_Encoding="gzip")
        else:
            length = f"Content-Length: {2 * 1024**3}\r\n" if wrong is Misbehaviour.HUGE else "Connection: close\r\n"
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{length}\r\n".encode())
            block = b"\0\0\0\x18ftypmp42" + bytes(1024 * 1024)
            while True:
                self.wfile.write(block)
