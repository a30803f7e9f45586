"""The source `clipcafe`: short clips of films, by an API that is limited by the minute and the month.

Every request takes a rate slot, counts against the quotas and goes through the ledger. No key and no link leaves this file but
to ClipCafe itself: links live in memory for as long as ClipCafe honours them.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, quote_plus

import httpx

from core import timing
from core.adapters.clipcafe_calls import CountedCalls, Gate
from core.adapters.http_deadline import NOT_SENT, Deadline, what_happened
from core.adapters.safe_address import Resolve, resolve_host
from core.adapters.safe_download import DownloadLimits, LinkDead, SafeDownload
from core.config import LOOPBACK_HOSTS
from core.errors import BadAnswer, DiskFull, InvalidInput, KeyRefused, NotSent, ProviderError, ProviderUnavailable, RateLimited
from core.model.calls import Answer, PaidCall
from core.model.clips import Clip, Hit
from core.model.vocabulary import VocabularyWord
from core.rules.answers import plain_message, retry_after_s
from core.rules.clipcafe_answers import Page, kept_fields, parse_hit, plain_of_secrets, read_link, read_page, read_refusal, read_slug
from core.rules.safe_names import unique_slug
from core.store.media_files import FULL_DISK
from core.store.part_files import is_left_over

log = logging.getLogger("wordreel.clipcafe")

PROVIDER = "clipcafe"
PAGE_SIZE = 100
LINK_LIFE_S = 300.0
"""From the search that returned it. Source: ClipCafe's contract."""
LINK_MARGIN = 0.9
"""Of its life a link is used for so much: the download has to begin within it."""
MAX_LINKS = 20_000
MAX_PAGE_BYTES = 16 * 1024 * 1024
MAX_LINK_CALLS = 50
"""Kept link and download calls of one clip that are stepped over."""
LANGUAGES = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese"}


class ClipCafeSource:
    """`ports.ClipSource` over ClipCafe's API. Close it. Safe to share between threads.

    Args:
        url: CLIPCAFE_BASE_URL. key: CLIPCAFE; empty raises KeyRefused at the first call.
        calls: the ledger of whoever works, the rate slots and the quotas.
        downloads_path: a folder of the workspace in which a download lies until its media is stored (`forget`).
        time_scale: how many times faster ClipCafe's own clock runs; for a test server.
    """

    name = PROVIDER
    is_remote = True

    def __init__(
        self,
        url: str,
        key: str,
        calls: CountedCalls,
        downloads_path: Path,
        *,
        time_scale: float = 1.0,
        connect_timeout_s: float = 10.0,
        timeout_s: float = 30.0,
        deadline_s: float = 90.0,
        download_limits: DownloadLimits | None = None,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._url = _checked(url)
        self._key = key
        self._secrets = tuple({key, quote(key), quote_plus(key)} - {""})
        self._calls = calls
        self._downloads_path = downloads_path
        self._deadline_s = deadline_s
        self._links = LinkMemory(LINK_LIFE_S * LINK_MARGIN / time_scale)
        _keep_out_of_logs(self._secrets)
        self._client = httpx.Client(
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
            limits=httpx.Limits(max_keepalive_connections=0),
            follow_redirects=False,
            trust_env=self._url.host not in LOOPBACK_HOSTS,
        )
        self._downloads = SafeDownload(str(self._url), self._secrets, download_limits, resolve)

    def close(self) -> None:
        self._client.close()
        self._downloads.close()

    def search(self, word: VocabularyWord, *, max_hits: int, edition: str = "") -> Sequence[Hit]:
        """See `core.ports.ClipSource.search`. One request a hundred hits; a kept answer costs none.

        Raises: KeyRefused, QuotaReached, RateLimited, BadAnswer, NotSent, ProviderUnavailable, ProviderError.
        """
        hits: dict[str, Hit] = {}
        offset = 0
        while len(hits) < max_hits:
            page = self._page(self._search_params(word, offset), edition)
            found = self._hits(page, word)
            n_before = len(hits)
            for hit in found:
                hits.setdefault(hit.slug, hit)
            offset += PAGE_SIZE
            is_last = len(page.sources) < PAGE_SIZE or (page.n_total is not None and offset >= page.n_total)
            if is_last or len(hits) == n_before:
                break
        return list(hits.values())[:max_hits]

    def fetch(self, clip: Clip, into: Path) -> Path:
        """See `core.ports.ClipSource.fetch`. By its link while that lives, else by a fresh one; what was paid for is not paid again.

        The download also lies in the workspace until `forget`, so that a crash loses nothing. Whether it plays is not checked here.
        Raises: KeyRefused, QuotaReached, RateLimited, BadAnswer, NotSent, ProviderUnavailable, ProviderError, DiskFull.
        """
        kept = self._kept_path(clip.slug)
        try:
            if not kept.exists():
                self._check_room()
                self._download(clip.slug, kept)
            into.mkdir(parents=True, exist_ok=True)
            path = into / f"{unique_slug(clip.slug)}.mp4"
            path.unlink(missing_ok=True)
            try:
                path.hardlink_to(kept)
            except OSError:
                shutil.copyfile(kept, path)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise DiskFull(f"No room left for a download in {into}.", hint="Free some disk; the run goes on by itself.") from error
            raise
        return path

    def forget(self, slug: str) -> None:
        """The clip's media is stored: its download need not lie here any longer."""
        self._kept_path(slug).unlink(missing_ok=True)

    def sweep(self, *, older_than_s: float) -> int:
        """Remove downloads that nobody took and halves whose process has ended; how many. For the start of a worker."""
        n_removed, before_s = 0, time.time() - older_than_s
        for path in self._downloads_path.glob("*") if self._downloads_path.exists() else ():
            try:
                if not path.is_file() or (path.stat().st_mtime >= before_s and not is_left_over(path.name)):
                    continue
            except FileNotFoundError:  # another worker took it
                continue
            path.unlink(missing_ok=True)
            n_removed += 1
        return n_removed

    def check_key(self) -> None:
        """One search for one clip, which costs a request. Raises: KeyRefused, ProviderError."""
        call = PaidCall(PROVIDER, "test_key", "", "", os.urandom(16).hex())
        self._calls.make(call, lambda gate: Answer({"n": len(self._asked({"size": "1"}, gate)[0].sources)}))

    # Search ----------------------------------------------------------------------------------------------------------

    def _search_params(self, word: VocabularyWord, offset: int) -> dict[str, str]:
        params = {"transcript": word.text, "duration": "1-15", "sort": "views", "order": "desc", "size": str(PAGE_SIZE)}
        language = LANGUAGES.get(word.language.partition("-")[0].lower())
        if language:
            params["movie_language"] = language
        return params | ({"from": str(offset)} if offset else {})

    def _page(self, params: Mapping[str, str], edition: str) -> Page:
        """One page of hits, kept or asked for. What comes back holds no key and no link."""

        def send(gate: Gate) -> Answer:
            page, _ = self._asked(params, gate)
            sources = [kept_fields(raw, self._secrets) for raw in page.sources]
            return Answer({"hits": {"hits": sources, "total": page.n_total}}, cost_usd=0.0)

        content = json.dumps({**params, **({"edition": edition} if edition else {})}, sort_keys=True)
        return read_page(self._calls.make(PaidCall(PROVIDER, "search", "", "", content), send).body)

    def _hits(self, page: Page, word: VocabularyWord) -> list[Hit]:
        """Raises: BadAnswer for a page that has hits of which none can be used."""
        read = [parse_hit(raw) for raw in page.sources]
        problems = [problem for _, some in read for problem in some]
        if problems:
            log.info("%r: %d fields of %d hits were not as they should be, the first: %s", word.text, len(problems), len(read), problems[0])
        hits = [hit for hit, _ in read if hit is not None]
        if read and not hits:
            raise BadAnswer(f"ClipCafe gave {len(read)} hits for {word.text!r}, and none has a slug.", provider=PROVIDER)
        return hits

    def _asked(self, params: Mapping[str, str], gate: Gate) -> tuple[Page, str]:
        """Ask ClipCafe, remember the links, and read the answer; the link of a search by slug comes with it."""
        if not self._key:
            raise KeyRefused("There is no key for ClipCafe.", hint="Set CLIPCAFE, or enter it in Settings.", provider=PROVIDER)
        asked_s = time.monotonic()
        try:
            page = read_page(json.loads(self._get(params, gate)))
        except (ValueError, RecursionError) as error:
            raise self._in_doubt("answered 200 with something that is not JSON") from error
        except BadAnswer as error:
            raise self._in_doubt("answered 200 with something that is no answer to a search") from error
        links = {slug: link for raw in page.sources if (slug := read_slug(raw)) and (link := read_link(raw))}
        self._links.remember(links, asked_s)
        return page, links.get(params.get("slug", ""), "")

    def _get(self, params: Mapping[str, str], gate: Gate) -> bytes:
        """The body of a 200. Every error of httpx leaves as one of ours."""
        query = {**params, "api_key": self._key}
        with Deadline(self._deadline_s, gate) as deadline:
            try:
                with self._client.stream("GET", self._url, params=query, extensions={"trace": deadline.trace}) as response:
                    deadline.hold(response.extensions["network_stream"])
                    body = self._body(response)
                    if response.status_code != 200:
                        raise self._refusal(response, body)
                    return body
            except NOT_SENT as error:
                why = self._plain(str(error)) or type(error).__name__
                raise NotSent(
                    f"ClipCafe cannot be reached: {why}.", hint="Check CLIPCAFE_BASE_URL and the network.", provider=PROVIDER
                ) from error
            except httpx.InvalidURL as error:
                raise ProviderError(
                    "ClipCafe sends requests to an address that is none.", hint="Check CLIPCAFE_BASE_URL.", provider=PROVIDER
                ) from error
            except (httpx.TransportError, httpx.StreamError) as error:
                late = f"took longer than {self._deadline_s:g} s" if deadline.is_over else what_happened(error)
                raise self._in_doubt(late) from error

    def _body(self, response: httpx.Response) -> bytes:
        """At most 16 MiB, unpacked too. A server that packs although it was not asked to is understood."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in ("", "identity", "gzip", "deflate"):
            raise self._in_doubt(f"sent an answer packed as {encoding[:20]!r}")
        unpack = None if encoding in ("", "identity") else zlib.decompressobj(zlib.MAX_WBITS | 32)
        body = bytearray()
        for chunk in response.iter_raw():
            try:
                body += chunk if unpack is None else unpack.decompress(chunk, MAX_PAGE_BYTES + 1 - len(body))
            except zlib.error as error:
                raise self._in_doubt("sent an answer that cannot be unpacked") from error
            if len(body) > MAX_PAGE_BYTES:
                raise self._in_doubt(f"sent an answer of more than {MAX_PAGE_BYTES:,} bytes")
        return bytes(body)

    def _refusal(self, response: httpx.Response, body: bytes) -> ProviderError:
        """What an answer other than 200 to a search means."""
        status = response.status_code
        told = self._plain(read_refusal(body))
        says = f"ClipCafe answered {status}" + (f": {told}" if told else ".")
        if status in (401, 403):
            return KeyRefused(says, hint="Check CLIPCAFE: the key is wrong, revoked or of another plan.", provider=PROVIDER)
        if status == 429:
            wait_s = retry_after_s(response.headers.get("Retry-After"), timing.now())
            return RateLimited(says, retry_after_s=wait_s, hint="Everybody waits as it asks.", provider=PROVIDER)
        if status >= 500 or status < 300 or status == 408:
            return ProviderUnavailable(says, hint="It may have been counted.", provider=PROVIDER)
        if status < 400:
            return ProviderError(
                f"ClipCafe answered {status} and sends requests elsewhere.", hint="Check CLIPCAFE_BASE_URL.", provider=PROVIDER
            )
        return ProviderError(says, hint="Check CLIPCAFE_BASE_URL." if status in (404, 405, 410) else "", provider=PROVIDER)

    def _in_doubt(self, what: str) -> ProviderUnavailable:
        return ProviderUnavailable(f"ClipCafe {what}.", hint="It may have been counted.", provider=PROVIDER)

    def _plain(self, text: str) -> str:
        return plain_message(plain_of_secrets(text, self._secrets), self._secrets)

    # Download --------------------------------------------------------------------------------------------------------

    def _download(self, slug: str, into: Path) -> None:
        """By the link that lives, and once by a fresh one."""
        link = self._links.of(slug)
        if link:
            try:
                return self._deliver(slug, link, into)
            except LinkDead as error:
                log.info("%s: %s A fresh one is asked for.", slug, error.message)
                self._links.drop(slug)
        try:
            return self._deliver(slug, self._fresh_link(slug), into)
        except LinkDead as error:
            self._links.drop(slug)
            message = f"ClipCafe's fresh link to {slug!r} is dead too: {error.message}"
            raise ProviderError(message, hint="Retry later; another clip may do.", provider=PROVIDER) from error

    def _fresh_link(self, slug: str) -> str:
        """A link for this very use; one that was asked for before is dead or was lost with its process."""
        found: list[str] = []

        def send(gate: Gate) -> Answer:
            page, link = self._asked({"slug": slug, "size": "1"}, gate)
            found.append(link)
            return Answer({"n_hits": len(page.sources), "has_link": bool(link)}, cost_usd=0.0)

        self._step_over_kept("link", slug, lambda call: self._calls.make(call, send), lambda: bool(found))
        if not found or not found[0]:
            raise ProviderError(f"ClipCafe no longer has {slug!r}.", hint="Another clip of the word may do.", provider=PROVIDER)
        return found[0]

    def _deliver(self, slug: str, link: str, into: Path) -> None:
        def send(gate: Gate) -> Answer:
            n_bytes = self._downloads.fetch(link, into, gate)
            return Answer({"size_bytes": n_bytes}, cost_usd=0.0)

        self._step_over_kept("download", slug, lambda call: self._calls.make(call, send, is_download=True), into.exists)

    def _step_over_kept(self, operation: str, slug: str, make: Callable[[PaidCall], Answer], is_done: Callable[[], bool]) -> None:
        """Make the first call of its kind for this slug that has no answer yet: what was delivered is not in the ledger itself."""
        for number in range(MAX_LINK_CALLS):
            call = PaidCall(PROVIDER, operation, "", "", json.dumps({"slug": slug, "number": number}, sort_keys=True))
            if not self._calls.is_answered(call):
                make(call)
                if is_done():
                    return
        raise ProviderError(f"{slug!r} was asked for {MAX_LINK_CALLS} times ({operation}); it is given up.", provider=PROVIDER)

    def _kept_path(self, slug: str) -> Path:
        return self._downloads_path / f"{hashlib.sha256(slug.encode('utf-8', 'surrogatepass')).hexdigest()}.mp4"

    def _check_room(self) -> None:
        """A download is not spent where it would find no room. Raises: DiskFull."""
        self._downloads_path.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._downloads_path).free < self._downloads.max_bytes:
            needs = self._downloads.max_bytes // 1_000_000
            raise DiskFull(f"Less than {needs} MB are free in {self._downloads_path}.", hint="Free some disk; nothing was spent.")


class LinkMemory:
    """Download links by slug, for as long as they live; never written anywhere."""

    def __init__(self, life_s: float) -> None:
        self._life_s = life_s
        self._links: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def remember(self, links: Mapping[str, str], asked_s: float) -> None:
        with self._lock:
            for slug, link in links.items():
                self._links.pop(slug, None)
                self._links[slug] = (link, asked_s + self._life_s)
            if len(self._links) > MAX_LINKS:
                now_s = time.monotonic()
                living = [(slug, kept) for slug, kept in self._links.items() if kept[1] > now_s]
                self._links = dict(living[-MAX_LINKS:])

    def of(self, slug: str) -> str:
        """The link, or empty where it is not known or its life is over."""
        with self._lock:
            link, until_s = self._links.get(slug, ("", 0.0))
            return link if time.monotonic() < until_s else ""

    def drop(self, slug: str) -> None:
        with self._lock:
            self._links.pop(slug, None)


class _NoKeys(logging.Filter):
    """httpx logs whole addresses: they leave without keys."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        plain = plain_of_secrets(message, tuple(self.secrets))
        if plain != message:
            record.msg, record.args = plain, ()
        return True


_no_keys = _NoKeys()


def _keep_out_of_logs(secrets: Sequence[str]) -> None:
    _no_keys.secrets.update(secrets)
    for name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy"):
        logging.getLogger(name).addFilter(_no_keys)


def _checked(url: str) -> httpx.URL:
    """Raises: InvalidInput for what is not a plain http(s) address."""
    try:
        address = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise InvalidInput(f"CLIPCAFE_BASE_URL is not an address: {error}.") from error
    if address.scheme not in ("http", "https") or not address.host or re.search(r"\s", str(address)):
        raise InvalidInput("CLIPCAFE_BASE_URL is not an http(s) address.", hint="It looks like https://api.clip.cafe/.")
    if address.userinfo or address.query or address.fragment:
        raise InvalidInput("CLIPCAFE_BASE_URL holds a sign-in or a query, which would be shown.", hint="The key goes into CLIPCAFE.")
    return address
