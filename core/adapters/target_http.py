"""Export target: a backend over HTTP. Knows what an answer means: arrived, did not arrive, or in doubt.

Source: the backend's contract. 500 with `{"error"}` is how it answers almost every client mistake, so that is definite; an
answer that is not the backend's own (HTML, a gateway's 502, nothing) leaves it open whether the request was carried out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import httpx

from core import timing
from core.adapters.http_deadline import Deadline
from core.adapters.payload_stream import check_files, payload_stream
from core.config import LOOPBACK_HOSTS
from core.errors import BadAnswer, ExportError, InvalidInput, MediaError, NotFound, ProviderUnavailable
from core.model.exports import ItemResult, VideoItem
from core.rules.answers import plain_message, read_results, retry_after_s
from core.rules.payload import payload_size

UPLOAD_PATH = "/v3/admin/videos/batch-upload"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_VIDEO_BYTES = 64 * 1024 * 1024
QUICK_S = 15.0
"""For a question that somebody waits for in front of a plan."""
NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
    httpx.LocalProtocolError,
)
"""What httpx raises before a whole request can have gone out."""


class HttpTarget:
    """A backend at `url` (what comes before `/v3/…`). Holds one client; `close` it. Safe to share between threads.

    Args:
        token: sent as `Authorization: Bearer`; to this host only, and in no message.
        timeout_s: how long the backend may be silent. deadline_s: how long one request may take in all.
    """

    is_production = True

    def __init__(
        self, url: str, token: str = "", *, connect_timeout_s: float = 10.0, timeout_s: float = 120.0, deadline_s: float = 900.0
    ) -> None:
        address = _checked(url)
        self.url = str(address).rstrip("/")
        self.name = address.netloc.decode()
        self._deadline_s = deadline_s
        self._secrets = (token,)
        if not re.fullmatch(r"[\x21-\x7e]*", token):
            raise InvalidInput("BACKEND_TOKEN holds characters that no header can carry.", hint="Copy it again, without spaces.")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        self._client = httpx.Client(
            headers=headers | ({"Authorization": f"Bearer {token}"} if token else {}),
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_keepalive_connections=4, keepalive_expiry=2.0),
            follow_redirects=False,
            trust_env=address.host not in LOOPBACK_HOSTS,
        )

    def close(self) -> None:
        self._client.close()

    def send(self, source_id: str, items: Sequence[VideoItem]) -> tuple[ItemResult, ...]:
        """See `core.ports.ExportTarget.send`."""
        try:
            check_files(items)
            size = str(payload_size(source_id, items))
            headers = {"Content-Type": "application/json", "Content-Length": size, "Connection": "close"}
        except (MediaError, ValueError) as error:
            raise ExportError(f"Nothing was sent: {error}", provider=self.name) from error
        with self._exchange("POST", UPLOAD_PATH, content=payload_stream(source_id, items), headers=headers) as response:
            body = self._body(response, MAX_ANSWER_BYTES)
            if response.status_code != 200:
                raise self._refusal(response, body)
        try:
            return read_results(json.loads(body), items)
        except (BadAnswer, ValueError, RecursionError) as error:
            why = error.message if isinstance(error, BadAnswer) else "It is not JSON."
            raise self._in_doubt(f"answered 200 with something that is not its own answer. {why}") from error

    def read_back(self, video_id: int) -> Iterator[bytes]:
        """See `core.ports.ExportTarget.read_back`. Stops with an error after 64 MiB."""
        with self._exchange("GET", f"/v3/videos/{video_id}") as response:
            if response.status_code == 404:
                raise NotFound(f"{self.name} has no video {video_id}.")
            if response.status_code != 200:
                raise self._refusal(response, self._body(response, MAX_ANSWER_BYTES))
            yield from self._capped(response, MAX_VIDEO_BYTES)

    def words_with_videos(self, words: Iterable[str], language: str) -> dict[str, int] | None:
        """See `core.ports.ExportTarget.words_with_videos`. One request a word; None from a backend without that address."""
        counts: dict[str, int] = {}
        for word in words:
            asked = {"params": {"word": word, "lang": language}, "timeout": QUICK_S}
            with self._exchange("GET", "/v3/api/check-word-videos", deadline_s=QUICK_S, **asked) as response:
                body = self._body(response, MAX_ANSWER_BYTES)
            if response.status_code == 404:
                return None
            if response.status_code != 200:
                raise self._refusal(response, body)
            counts[word] = self._video_count(body, word)
        return counts

    def words_needing_videos(self, bundle: str) -> frozenset[str] | None:
        """See `core.ports.ExportTarget.words_needing_videos`. None from a backend without that address."""
        path = f"/v3/admin/bundles/{quote(bundle, safe='')}/words-needing-videos"
        quick = {"timeout": QUICK_S, "headers": {"Connection": "close"}}
        with self._exchange("GET", path, deadline_s=QUICK_S, **quick) as response:
            body = self._body(response, MAX_ANSWER_BYTES)
        if response.status_code in (404, 405, 501):
            return None
        if response.status_code != 200:
            raise self._refusal(response, body)
        return self._words(body, bundle)

    def _words(self, body: bytes, bundle: str) -> frozenset[str]:
        """The `words` of an answer, however they are dressed; an answer that is cut short or of another bundle is none."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        given = answer.get("words") if isinstance(answer, dict) else None
        if not isinstance(given, list) or answer.get("bundle", bundle) != bundle:
            raise self._in_doubt(f"did not say which words of {bundle!r} want clips.")
        dressed = [word.get("word") if isinstance(word, dict) else word for word in given]
        words = [word for word in dressed if isinstance(word, str)]
        if len(words) != len(given) or answer.get("total_count", len(given)) != len(given):
            raise self._in_doubt(f"gave a list of the words of {bundle!r} that is not whole.")
        return frozenset(words)

    def _video_count(self, body: bytes, word: str) -> int:
        try:
            count = json.loads(body)["video_count"]
        except (ValueError, KeyError, TypeError, RecursionError):
            count = None
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise self._in_doubt(f"did not say how many videos it has for {word!r}.")
        return count

    @contextmanager
    def _exchange(self, method: str, path: str, *, deadline_s: float | None = None, **arguments: Any) -> Iterator[httpx.Response]:
        """One request and its answer's head. Every error of httpx leaves as one of ours, also while the body is read."""
        limit_s = min(self._deadline_s, deadline_s or self._deadline_s)
        with Deadline(limit_s) as deadline:
            try:
                with self._client.stream(method, self.url + path, extensions={"trace": deadline.trace}, **arguments) as response:
                    deadline.hold(response.extensions["network_stream"])
                    yield response
            except MediaError as error:
                raise ExportError(f"The request was broken off: {error.message}", hint=error.hint, provider=self.name) from error
            except NOT_SENT as error:
                raise self._unreachable(error) from error
            except (httpx.TransportError, httpx.StreamError) as error:
                late = f"took longer than {limit_s:g} s" if deadline.is_over else _happened(error)
                raise self._in_doubt(f"{late}.") from error

    def _capped(self, response: httpx.Response, limit_bytes: int) -> Iterator[bytes]:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._in_doubt("sent a compressed answer that was not asked for.")
        n_bytes = 0
        for chunk in response.iter_raw():
            n_bytes += len(chunk)
            if n_bytes > limit_bytes:
                raise self._in_doubt(f"sent an answer of more than {limit_bytes} bytes.")
            yield chunk

    def _body(self, response: httpx.Response, limit_bytes: int) -> bytes:
        return b"".join(self._capped(response, limit_bytes))

    def _refusal(self, response: httpx.Response, body: bytes) -> ExportError | ProviderUnavailable:
        """What an answer other than 200 means."""
        status, told = response.status_code, self._told(body)
        says = f"{self.name} answered {status}" + (f": {told}" if told else ".")
        if 300 <= status < 400:
            message = f"{self.name} answered {status} and sends requests on to {_plain_location(response)}."
            return self._definite(message, "Set BACKEND_URL to that address if it is yours.", about_items=False)
        if status in (401, 403, 407):
            return self._definite(says, "Check BACKEND_TOKEN.", about_items=False)
        if status in (404, 405, 410):
            return self._definite(says, f"Check BACKEND_URL: {self.url}{UPLOAD_PATH} is not there.", about_items=False)
        if status in (408, 425, 429):
            wait_s = retry_after_s(response.headers.get("Retry-After"), timing.now())
            hint = "It asks to wait; send the rest later."
            return ExportError(says, hint=hint, provider=self.name, is_retryable=True, retry_after_s=wait_s, is_about_items=False)
        if status in (502, 503, 504) or status < 300 or (status >= 500 and not told):
            return self._in_doubt(f"answered {status}" + (f": {told}" if told else " without saying why."))
        return self._definite(says, "")

    def _told(self, body: bytes) -> str:
        """The backend's own `{"error"}`, or nothing."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        error = answer.get("error") if isinstance(answer, dict) else None
        return plain_message(error, self._secrets) if isinstance(error, str) else ""

    def _definite(self, message: str, hint: str, *, about_items: bool = True) -> ExportError:
        return ExportError(message, hint=hint, provider=self.name, is_about_items=about_items)

    def _unreachable(self, error: Exception) -> ExportError:
        message = f"{self.name} cannot be reached: {plain_message(str(error), self._secrets) or type(error).__name__}."
        hint = "Nothing was sent. Check BACKEND_URL and the network."
        return ExportError(message, hint=hint, provider=self.name, is_retryable=True, is_about_items=False)

    def _in_doubt(self, what: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"{self.name} {what}", provider=self.name)


def _checked(url: str) -> httpx.URL:
    """Raises: InvalidInput for what is not a plain http(s) address."""
    try:
        address = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise InvalidInput(f"BACKEND_URL is not an address: {error}.") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise InvalidInput("BACKEND_URL is not an http(s) address.", hint="It looks like https://backend.example.org.")
    if address.userinfo or address.query or address.fragment:
        raise InvalidInput("BACKEND_URL holds a sign-in or a query, which would be stored with the exports.", hint="Use BACKEND_TOKEN.")
    return address


def _plain_location(response: httpx.Response) -> str:
    """Where a redirect points, without what could be a secret."""
    try:
        return str(response.request.url.join(response.headers.get("Location", "")).copy_with(query=None, fragment=None, userinfo=b""))[:200]
    except httpx.InvalidURL:
        return "an address that is none"


def _happened(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "did not answer in time"
    return "broke off the connection before its answer was complete"
