"""One OpenAI-compatible server: how it is reached, and what its refusals mean. Judge, recogniser and others share it.

The client's own retries are off: whether a call is made again is the ledger's to decide. Every answer is capped in size and time.
Source of the meanings: OpenAI's error codes (https://platform.openai.com/docs/guides/error-codes); a 5xx, a time-out or an
answer that is not the server's own leaves it open whether the call was paid.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from core import timing
from core.adapters.http_deadline import Deadline
from core.config import LOOPBACK_HOSTS
from core.errors import InvalidInput, KeyRefused, NotSent, ProviderError, ProviderUnavailable, QuotaUsedUp, RateLimited
from core.rules.answers import plain_message, retry_after_s

if TYPE_CHECKING:
    import httpx2
    from openai import APIStatusError, OpenAI

DEFAULT_BASE_URL = "https://api.openai.com/v1"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_IN_FLIGHT = 8
WAIT_S = 10.0
"""How long everybody waits after a 429 that does not say how long."""
POLL_S = 1.0
NO_KEY = "none"
"""Sent where no key is set: a server of one's own asks for none, and the client wants one."""
QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded", "billing_not_active"})
NOT_SENT = ("ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError", "LocalProtocolError")
"""What httpx raises before a whole request can have gone out."""


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """One answer that is the server's own: a JSON object."""

    body: Mapping[str, Any]
    request_id: str


class OpenAIServer:
    """A server at `base_url`. Connects on its first use; `close` it. Safe to share between threads.

    Args:
        api_key: goes to this host only, and into no message.
        max_in_flight: calls at once over all threads; more wait their turn.
        timeout_s: how long the server may be silent. deadline_s: how long one call may take in all.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = "",
        *,
        max_in_flight: int = MAX_IN_FLIGHT,
        connect_timeout_s: float = 10.0,
        timeout_s: float = 90.0,
        deadline_s: float = 240.0,
    ) -> None:
        if not re.fullmatch(r"[\x21-\x7e]*", api_key):
            raise InvalidInput("OPENAI_API_KEY holds characters that no header can carry.", hint="Copy it again, without spaces.")
        self.base_url = (base_url or DEFAULT_BASE_URL).rstrip("/")
        self.host = _checked_host(self.base_url)
        self.name = "openai" if self.base_url == DEFAULT_BASE_URL else self.host[:40]
        """The provider in the ledger: equal questions to two servers are two calls."""
        self._key = api_key
        self._times_s = (connect_timeout_s, timeout_s, deadline_s)
        self._slots = threading.BoundedSemaphore(max_in_flight)
        self._lock = threading.Lock()
        self._now = threading.local()

    @contextmanager
    def turn(self, on_wait: Callable[[float], None] | None = None) -> Iterator[None]:
        """A place among the calls in flight. `ask` takes one itself; a thread that has taken one keeps it for its `ask`.

        `on_wait` is called every second or so (nobody knows for how long it will still be: 0), and may raise to leave the line.
        """
        if getattr(self._now, "has_turn", False):
            yield
            return
        while not self._slots.acquire(timeout=POLL_S):
            if on_wait is not None:
                on_wait(0.0)
        self._now.has_turn = True
        try:
            yield
        finally:
            self._now.has_turn = False
            self._slots.release()

    def ask(self, send: Callable[[OpenAI], Any], model: str) -> ServerAnswer:
        """What the server answers to one call; `send` makes it with `client.….with_raw_response`.

        Raises: KeyRefused, QuotaUsedUp, RateLimited, ProviderError (definite: not paid); ProviderUnavailable (in doubt).
        """
        import openai

        with self.turn(), Deadline(self._times_s[2]) as deadline:
            self._now.deadline = deadline
            try:
                raw = send(self._client)
                content, request_id = bytes(raw.content), str(raw.headers.get("x-request-id", ""))[:200]
            except openai.APIStatusError as error:
                # Not `from error`: its text and its request can hold the key.
                raise self._refusal(error, model) from None
            except openai.APIConnectionError as error:
                raise self._no_answer(error.__cause__ or error, deadline, model) from error
            except openai.OpenAIError as error:
                raise ProviderUnavailable(f"{self.host} sent an answer that cannot be read.", provider=self.name, model=model) from error
        return ServerAnswer(self._object(content, model), request_id)

    def models(self) -> tuple[str, ...]:
        """The models that the key may use: to test a key; nothing is paid. Raises: as `ask`."""
        data = self.ask(lambda client: client.models.with_raw_response.list(), "").body.get("data")
        rows = data if isinstance(data, list) else []
        return tuple(sorted(str(row["id"]) for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)))

    def close(self) -> None:
        """Close the connections, if there are any."""
        if "_built" in self.__dict__:
            self._built.close()

    @property
    def _client(self) -> OpenAI:
        with self._lock:
            return self._built

    @cached_property
    def _built(self) -> OpenAI:
        import httpx2
        from openai import OpenAI

        connect_s, silence_s, _ = self._times_s
        web = httpx2.Client(
            timeout=httpx2.Timeout(silence_s, connect=connect_s),
            limits=httpx2.Limits(max_keepalive_connections=4, keepalive_expiry=5.0),
            follow_redirects=False,
            trust_env=self.host.rpartition(":")[0] not in LOOPBACK_HOSTS and self.host not in LOOPBACK_HOSTS,
            event_hooks={"request": [self._before], "response": [self._after]},
        )
        headers = {"Accept-Encoding": "identity"}
        return OpenAI(api_key=self._key or NO_KEY, base_url=self.base_url, max_retries=0, default_headers=headers, http_client=web)

    def _before(self, request: httpx2.Request) -> None:
        request.extensions["trace"] = self._now.deadline.trace

    def _after(self, response: httpx2.Response) -> None:
        import httpx2

        if "network_stream" in response.extensions:
            self._now.deadline.hold(response.extensions["network_stream"])
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise httpx2.DecodingError("It is compressed, which was not asked for.", request=response.request)
        response.stream = _capped(response.stream, response.request)

    def _object(self, content: bytes, model: str) -> Mapping[str, Any]:
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            what = "nothing" if not content.strip() else "something that is not JSON"
            raise ProviderUnavailable(
                f"{self.host} answered 200 with {what}.", hint="Check OPENAI_BASE_URL.", provider=self.name, model=model
            )
        return body

    def _refusal(self, error: APIStatusError, model: str) -> ProviderError:
        """What an answer other than 2xx means."""
        status, code = error.status_code, error.code or ""
        told = plain_message(str(error.body.get("message") or ""), (self._key,)) if isinstance(error.body, dict) else ""
        says = f"{self.host} answered {status}" + (f": {told}" if told else ".")
        known: dict[str, Any] = {"provider": self.name, "model": model, "request_id": (error.request_id or "")[:200]}
        if code in QUOTA_CODES or error.type in QUOTA_CODES or status == 402:
            return QuotaUsedUp(f"The credit at {self.host} is used up.", hint="Add credit there, or set another key; then resume.", **known)
        if status in (401, 403, 407):  # what it says can repeat the key
            return KeyRefused(f"{self.host} refuses the key ({status}).", hint="Check OPENAI_API_KEY in Settings, then resume.", **known)
        if status in (425, 429):
            wait_s = retry_after_s(error.response.headers.get("Retry-After"), timing.now()) or WAIT_S
            return RateLimited(f"{says} Waiting {wait_s:.0f} s.", retry_after_s=wait_s, provider=self.name)
        if status in (408, 409) or status >= 500:
            return ProviderUnavailable(says, **known)
        if 300 <= status < 400:
            return ProviderError(f"{self.host} sends requests on to another address ({status}).", hint="Check OPENAI_BASE_URL.", **known)
        if status == 404:
            return ProviderError(says, hint=f"Check OPENAI_BASE_URL, and that the model {model!r} exists there.", **known)
        return ProviderError(says, hint="Nothing was paid. The server or the model may not know structured outputs.", **known)

    def _no_answer(self, error: BaseException, deadline: Deadline, model: str) -> ProviderError:
        """A call that brought no answer: not sent, or in doubt."""
        kind = type(error).__name__
        known: dict[str, Any] = {"provider": self.name, "model": model}
        if kind in NOT_SENT:
            return NotSent(f"{self.host} cannot be reached.", hint="Check OPENAI_BASE_URL and the network.", **known)
        if deadline.is_over:
            return ProviderUnavailable(f"{self.host} took longer than {self._times_s[2]:g} s.", **known)
        if kind == "DecodingError":
            return ProviderUnavailable(f"{self.host} sent an answer that is too large, or compressed unasked.", **known)
        happened = "did not answer in time" if "Timeout" in kind else "broke off the connection before its answer was complete"
        return ProviderUnavailable(f"{self.host} {happened}.", **known)


def _capped(stream: Any, request: httpx2.Request) -> httpx2.SyncByteStream:
    """The same stream, which ends with an error after `MAX_ANSWER_BYTES`."""
    import httpx2

    class Capped(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            n_bytes = 0
            for chunk in stream:
                n_bytes += len(chunk)
                if n_bytes > MAX_ANSWER_BYTES:
                    raise httpx2.DecodingError("It is too large.", request=request)
                yield chunk

        def close(self) -> None:
            stream.close()

    return Capped()


def _checked_host(base_url: str) -> str:
    """Raises: InvalidInput for what is not a plain http(s) address."""
    try:
        address = urlsplit(base_url)
        host = address.hostname or ""
        port = address.port
    except ValueError as error:
        raise InvalidInput(f"OPENAI_BASE_URL is not an address: {error}.") from error
    if address.scheme not in ("http", "https") or not host:
        raise InvalidInput("OPENAI_BASE_URL is not an http(s) address.", hint="It looks like https://api.openai.com/v1.")
    if address.username or address.password or address.query or address.fragment:
        raise InvalidInput("OPENAI_BASE_URL holds a sign-in or a query, which would be shown.", hint="Use OPENAI_API_KEY.")
    return host if port is None else f"{host}:{port}"
