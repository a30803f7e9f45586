"""One download from an address that somebody else named: checked at every hop, capped in size and time, whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from core import timing
from core.adapters.http_deadline import NOT_SENT, Deadline, Passage, what_happened
from core.adapters.safe_address import AddressRefused, GuardedTransport, Resolve, check_address, resolve_host
from core.config import LOOPBACK_HOSTS
from core.errors import BadAnswer, DiskFull, NotSent, ProviderError, ProviderUnavailable, RateLimited
from core.rules.answers import plain_message, retry_after_s
from core.rules.clipcafe_answers import plain_of_secrets
from core.store.media_files import FULL_DISK
from core.store.part_files import part_name

MAX_HOPS = 5
NOT_FILM_HEADS = (b"<", b"{", b"[", b"\xef\xbb\xbf<")
"""HTML, XML, JSON: somebody answered in the source's place, so that nobody knows whether the download counts."""
FILM_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide")

BAD_LOCATION = "Invalid URL in location header"
"""httpx reads where a redirect leads even where it is told not to follow it."""


class LinkDead(ProviderError):
    """The link no longer leads to the clip; nothing was delivered."""

    code = "link_dead"


@dataclass(frozen=True, slots=True)
class DownloadLimits:
    """How much and how long one download may be."""

    max_bytes: int = 64 * 1024 * 1024
    connect_timeout_s: float = 10.0
    timeout_s: float = 30.0
    """Of each silence."""
    deadline_s: float = 300.0
    """In all, for each hop."""


class SafeDownload:
    """Fetches films by links. Trusts one host, the source's own, which may be on this machine. Close it.

    Args:
        trusted_url: host and port of it are trusted. secrets: never sent to another host, never in a message.
    """

    def __init__(
        self, trusted_url: str, secrets: Sequence[str] = (), limits: DownloadLimits | None = None, resolve: Resolve = resolve_host
    ) -> None:
        self._trusted = httpx.URL(trusted_url)
        self.max_bytes = (limits or DownloadLimits()).max_bytes
        self._secrets = secrets
        self._limits = limits or DownloadLimits()
        timeout = httpx.Timeout(self._limits.timeout_s, connect=self._limits.connect_timeout_s)
        headers = {"Accept": "video/mp4,*/*;q=0.5", "Accept-Encoding": "identity", "Connection": "close"}
        is_here = self._trusted.host in LOOPBACK_HOSTS
        self._own = httpx.Client(timeout=timeout, headers=headers, trust_env=not is_here)
        self._other = httpx.Client(timeout=timeout, headers=headers, transport=GuardedTransport(resolve), trust_env=False)

    def close(self) -> None:
        self._own.close()
        self._other.close()

    def is_trusted(self, url: httpx.URL) -> bool:
        return (url.host, url.port or _port(url)) == (self._trusted.host, self._trusted.port or _port(self._trusted))

    def fetch(self, link: str, into: Path, passage: Passage | None = None) -> int:
        """Write what `link` leads to as the new file `into`, whole and flushed to disk; its size in bytes.

        `passage` is asked before each request to the trusted host.

        Raises:
            LinkDead: 4xx, or a host beside the source that is not there. AddressRefused: an address that is not to be fetched. Both,
                RateLimited and NotSent (the source is not there): nothing was delivered.
            ProviderUnavailable: it broke off, took too long, or is not the source's own answer.
            BadAnswer: delivered, and no film, or too large; the file lies beside, in the folder `quarantine`.
            DiskFull: nothing half-written is left.
        """
        part = into.with_name(part_name())
        try:
            into.parent.mkdir(parents=True, exist_ok=True)
            n_bytes = self._follow(link, part, passage)
            try:
                _check_film(part, n_bytes)
            except BadAnswer:
                _quarantine(part, into)
                raise
            part.replace(into)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise DiskFull(f"No room left in {into.parent}.", hint="Free some disk; nothing was half-written.") from error
            raise
        finally:
            part.unlink(missing_ok=True)
        return n_bytes

    def _follow(self, link: str, part: Path, passage: Passage | None) -> int:
        url = _address(link)
        for _ in range(MAX_HOPS):
            is_own = self.is_trusted(url)
            check_address(url)
            with self._hop(url, passage if is_own else None) as response:
                if not 300 <= response.status_code < 400:
                    return self._save(response, url, part)
                following = url.join(_address(response.headers.get("Location", "")))
            url = following if self.is_trusted(following) else self._without_credentials(following)
        raise ProviderUnavailable(f"{url.host} sends the download on and on.")

    def _without_credentials(self, url: httpx.URL) -> httpx.URL:
        """No key of ours for another host."""
        kept = [(name, value) for name, value in url.params.multi_items() if not any(key and key in value for key in self._secrets)]
        return url.copy_with(params=[(name, value) for name, value in kept if name.casefold() not in ("api_key", "apikey")])

    @contextmanager
    def _hop(self, url: httpx.URL, passage: Passage | None) -> Iterator[httpx.Response]:
        client = self._own if self.is_trusted(url) else self._other
        with Deadline(self._limits.deadline_s, passage) as deadline:
            try:
                with client.stream("GET", url, extensions={"trace": deadline.trace}, follow_redirects=False) as response:
                    deadline.hold(response.extensions["network_stream"])
                    yield response
            except NOT_SENT as error:
                why = plain_of_secrets(plain_message(str(error)), self._secrets) or type(error).__name__
                if client is self._other:  # the source itself may well be there: nobody else has to wait for this host
                    raise LinkDead(f"{url.host} cannot be reached: {why}.") from error
                raise NotSent(f"{url.host} cannot be reached: {why}.", hint="Nothing was sent. Check the network.") from error
            except httpx.InvalidURL as error:
                raise AddressRefused(f"{url.host} sends the download to an address that is none.") from error
            except (httpx.TransportError, httpx.StreamError) as error:
                if BAD_LOCATION in str(error):
                    raise AddressRefused(f"{url.host} sends the download to an address that is none.") from error
                late = f"took longer than {self._limits.deadline_s:g} s" if deadline.is_over else what_happened(error)
                raise ProviderUnavailable(f"The download from {url.host} {late}.") from error

    def _save(self, response: httpx.Response, url: httpx.URL, part: Path) -> int:
        status, host = response.status_code, url.host
        if status == 429:
            wait_s = retry_after_s(response.headers.get("Retry-After"), timing.now())
            raise RateLimited(f"{host} answered 429 to a download.", retry_after_s=wait_s, hint="Everybody waits.")
        if 400 <= status < 500:
            raise LinkDead(f"{host} answered {status} to a download: its link is dead.")
        if status != 200:
            raise ProviderUnavailable(f"{host} answered {status} to a download.")
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise ProviderUnavailable(f"{host} sent a compressed answer that was not asked for.")
        too_large = BadAnswer(f"The clip is larger than {self._limits.max_bytes:,} bytes; it was not taken.")
        declared = response.headers.get("Content-Length", "")
        if declared.isdecimal() and int(declared) > self._limits.max_bytes:
            raise too_large
        n_bytes = 0
        with part.open("wb") as file:
            for chunk in response.iter_raw():
                n_bytes += len(chunk)
                if n_bytes > self._limits.max_bytes:
                    raise too_large
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return n_bytes


def _check_film(path: Path, n_bytes: int) -> None:
    """By its first bytes; the decoder says more later. Raises: ProviderUnavailable, BadAnswer."""
    with path.open("rb") as file:
        head = file.read(64)
    if n_bytes == 0:
        raise ProviderUnavailable("An empty answer came instead of the clip.")
    if head.lstrip()[:4].startswith(NOT_FILM_HEADS):
        raise ProviderUnavailable("A page of text came instead of the clip.")
    if head[4:8] not in FILM_BOXES:
        raise BadAnswer("What came is no MP4 film; it was put aside.")


def _quarantine(part: Path, into: Path) -> None:
    """Put a whole file that is no film aside, under a name without an ending; never opened again."""
    folder = into.parent / "quarantine"
    folder.mkdir(exist_ok=True)
    part.replace(folder / into.stem)


def _address(text: str) -> httpx.URL:
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise AddressRefused("A link that is no address is not fetched.") from error


def _port(url: httpx.URL) -> int:
    return 443 if url.scheme == "https" else 80
