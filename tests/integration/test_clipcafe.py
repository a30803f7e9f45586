"""The source clipcafe over real HTTP: what it finds, what it fetches, and every fault of the world outside."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from core.adapters.clipcafe_calls import TRIES
from core.adapters.safe_download import DownloadLimits
from core.errors import (
    BadAnswer,
    DiskFull,
    InvalidInput,
    KeyRefused,
    NotSent,
    ProviderError,
    ProviderUnavailable,
    QuotaReached,
    RateLimited,
)
from core.store.rate_tables import rate_limits
from core.store.tables import ledger
from tests.integration.clipcafe_world import World, corpus, make_world
from tests.loopback.clipcafe import KEY, LoopbackClipCafe
from tests.loopback.clipcafe import Misbehaviour as Wrong
from tests.loopback.clipcafe_corpus import make_corpus
from tests.loopback.clipcafe_films import ClipFilms
from tests.loopback.commands import wait_until
from tests.loopback.deaf import deaf_host
from tests.loopback.invariants import check_integrity, check_no_secret


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """In a hurry only where ClipCafe is too slow: this machine may be slow too."""
    params = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    hurry: dict[str, Any] = {}
    if params.get("wrong") in (Wrong.SILENT, Wrong.ONE_BYTE):
        limits = DownloadLimits(max_bytes=2_000_000, timeout_s=2.0, deadline_s=3.0)
        hurry = {"timeout_s": 2.0, "deadline_s": 3.0, "download_limits": limits}
    with LoopbackClipCafe(corpus(), limit=None) as server:
        made = make_world(tmp_path, server, **hurry)
        yield made
        made.source.close()
        check_integrity(made.database)
        made.database.close()
        check_no_secret(made.home_path, [KEY])


def first_clip(world: World, word: str = "refer"):  # type: ignore[no-untyped-def]
    return world.clip(world.source.search(world.word(word), max_hits=100)[0])


# Search --------------------------------------------------------------------------------------------------------------


def test_a_search_costs_one_request_and_an_equal_one_none(world: World) -> None:
    hits = world.source.search(world.word("refer"), max_hits=100)
    assert [hit.slug for hit in hits] == [clip.slug for clip in world.server.find("refer")]
    again = world.source.search(world.word("refer"), max_hits=5)
    assert list(again) == list(hits[:5])
    assert world.server.n_arrived() == 1
    assert world.limits.requests.state().n_used == 1
    assert len(world.limits.slots.state().ticks) == 1
    asked = world.server.asked[0]
    assert asked.pop("api_key") == KEY
    assert asked == {
        "transcript": "refer", "movie_language": "English", "duration": "1-15", "sort": "views", "order": "desc", "size": "100",
    }  # fmt: skip


def test_every_hit_reads_as_what_was_said(world: World) -> None:
    truth = {clip.slug: clip for clip in world.server.corpus}
    for word in ("refer", "storm"):
        for hit in world.source.search(world.word(word), max_hits=100):
            clip = truth[hit.slug]
            assert hit.spoken == " ".join(clip.spoken.split())
            assert hit.film.title == clip.film
            assert hit.film.year == clip.year
            assert hit.duration_s == clip.stated_s
            assert "&amp;" not in hit.title
            assert hit.metadata["actors"] == "Ada Quill, Bruno Vance"
            assert hit.metadata["characters"] == 'Tom "The Ferry" O\'Neil'
            assert hit.film.director in ("", "Ines Marlowe")
            assert (word in hit.spoken.lower()) == clip.speaks(word)
    assert any(not clip.speaks("refer") for clip in world.server.find("refer"))


def test_pages_are_turned_until_the_end(tmp_path: Path) -> None:
    clips = make_corpus(["refer"], clips_a_word=230)
    with LoopbackClipCafe(clips, limit=None) as server:
        world = make_world(tmp_path, server)
        hits = world.source.search(world.word("refer"), max_hits=1000)
        assert [hit.slug for hit in hits] == [clip.slug for clip in server.find("refer")]
        assert [params.get("from") for params in server.asked] == [None, "100", "200"]
        assert len(world.source.search(world.word("refer"), max_hits=150)) == 150
        assert server.n_arrived() == 3
        world.database.close()


def test_a_server_that_gives_the_first_page_for_ever_is_left(tmp_path: Path) -> None:
    with LoopbackClipCafe(make_corpus(["refer"], clips_a_word=230), limit=None) as server:
        server.ignores_from = True
        world = make_world(tmp_path, server)
        assert len(world.source.search(world.word("refer"), max_hits=1000)) == 100
        assert server.n_arrived() == 2
        world.database.close()


def test_nothing_found_is_empty_and_kept(world: World) -> None:
    assert list(world.source.search(world.word("zebra"), max_hits=100)) == []
    assert list(world.source.search(world.word("zebra"), max_hits=100)) == []
    assert world.server.n_arrived() == 1


DOUBTFUL = [
    Wrong.CUT, Wrong.CUT_BEFORE, Wrong.SILENT, Wrong.ONE_BYTE, Wrong.GZIP_BOMB, Wrong.HUGE, Wrong.ENDLESS, Wrong.HTML_200, Wrong.EMPTY_200,
    Wrong.CUT_JSON, Wrong.OTHER_JSON, Wrong.NO_HITS_KEY, Wrong.ERROR_500, Wrong.GATEWAY_502,
]  # fmt: skip


@pytest.mark.parametrize("wrong", DOUBTFUL)
def test_a_broken_answer_is_in_doubt_and_asked_again(world: World, wrong: Wrong) -> None:
    world.server.misbehave("search", wrong)
    hits = world.source.search(world.word("refer"), max_hits=100)
    assert len(hits) == len(world.server.find("refer"))
    assert world.entries() == [("search", "in_doubt", 1), ("search", "done", 2)]
    assert world.limits.requests.state().n_used == 2


@pytest.mark.parametrize("wrong", DOUBTFUL)
def test_a_broken_answer_that_stays_is_never_no_results(world: World, wrong: Wrong) -> None:
    world.server.misbehave("search", *[wrong] * TRIES)
    with pytest.raises(ProviderUnavailable) as caught:
        world.source.search(world.word("refer"), max_hits=100)
    assert KEY not in caught.value.message
    assert [state for _, state, _ in world.entries()] == ["in_doubt"] * TRIES
    assert len(world.source.search(world.word("refer"), max_hits=100)) > 5


@pytest.mark.parametrize("wrong", [Wrong.ERROR_400, Wrong.MISSING_404, Wrong.REDIRECT])
def test_a_refusal_is_definite_and_not_asked_again(world: World, wrong: Wrong) -> None:
    world.server.redirect_to = "http://elsewhere.example/?api_key=" + KEY
    world.server.misbehave("search", wrong)
    with pytest.raises(ProviderError) as caught:
        world.source.search(world.word("refer"), max_hits=100)
    assert not isinstance(caught.value, ProviderUnavailable | KeyRefused)
    assert KEY not in caught.value.message
    assert world.entries() == [("search", "failed", 1)]
    assert world.server.n_arrived() == 1


@pytest.mark.parametrize("wrong", [Wrong.UNAUTHORIZED_401, Wrong.FORBIDDEN_403])
def test_a_refused_key_is_told_once_and_another_one_goes_on(world: World, tmp_path: Path, wrong: Wrong) -> None:
    world.server.misbehave("search", wrong)
    with pytest.raises(KeyRefused) as caught:
        world.source.search(world.word("refer"), max_hits=100)
    assert "CLIPCAFE" in caught.value.hint
    assert world.server.n_arrived() == 1
    assert len(world.source.search(world.word("refer"), max_hits=100)) > 5


def test_no_key_asks_nobody(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, key="")
        with pytest.raises(KeyRefused):
            world.source.search(world.word("refer"), max_hits=100)
        assert server.n_arrived() == 0
        assert world.limits.requests.state().n_used == 0
        world.database.close()


def test_the_key_can_be_tested(world: World) -> None:
    world.source.check_key()
    world.server.key = "another"
    with pytest.raises(KeyRefused):
        world.source.check_key()


def test_nobody_there_is_not_sent_and_costs_no_quota(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server)
    with pytest.raises(NotSent):
        world.source.search(world.word("refer"), max_hits=100)
    assert {state for _, state, _ in world.entries()} == {"failed"}
    assert world.limits.requests.state().n_used == 0
    world.database.close()


def test_a_time_out_before_anything_was_sent_is_definite_and_costs_no_quota(tmp_path: Path) -> None:
    with deaf_host() as port, LoopbackClipCafe(corpus(), limit=None) as server:
        server.url = f"http://127.0.0.1:{port}/"
        world = make_world(tmp_path, server, connect_timeout_s=0.3)
        with pytest.raises(NotSent, match="cannot be reached"):
            world.source.search(world.word("refer"), max_hits=100)
        assert {state for _, state, _ in world.entries()} == {"failed"}
        assert world.limits.requests.state().n_used == 0
        world.source.close()
        world.database.close()


def test_an_answer_that_was_packed_unasked_is_understood(world: World) -> None:
    world.server.misbehave("search", Wrong.GZIP)
    assert len(world.source.search(world.word("refer"), max_hits=100)) > 5


@pytest.mark.parametrize(
    ("header", "least_s", "most_s"),
    [
        ("60", 30.0, 60.01),
        ("date", 60.0, 120.0),
        (None, 10.0, 40.01),
        ("-5", 10.0, 40.01),
        ("soon", 10.0, 40.01),
        ("315360000", 250.0, 300.01),
    ],
)
def test_a_429_makes_everybody_wait_capped_and_shown_and_no_call_is_lost(
    tmp_path: Path, header: str | None, least_s: float, most_s: float
) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, unnamed_wait_s=40.0)
        server.retry_after = header
        if header == "date":
            server.retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=120), usegmt=True)
        server.misbehave("search", Wrong.RATE_429)

        def ask(word: str) -> threading.Thread:
            asking = threading.Thread(target=lambda: world.source.search(world.word(word), max_hits=100), daemon=True)
            asking.start()
            return asking

        askers = [ask("refer")]
        wait_until(lambda: world.limits.slots.state().blocked_until, "everybody waits")
        state = world.limits.slots.state()
        assert state.blocked_until is not None
        assert least_s <= (state.blocked_until - datetime.now(UTC)).total_seconds() <= most_s
        assert "429" in state.blocked_why
        askers.append(ask("storm"))
        time.sleep(0.3)
        assert server.n_arrived() == 1, "somebody did not wait"
        with world.database.write() as connection:  # the wait is over
            connection.execute(update(rate_limits).values(blocked_until_s=0.0))
        for asking in askers:
            asking.join(30)
        assert [state for _, state, _ in world.entries()].count("failed") == 1
        assert (world.n_done("search"), server.n_arrived()) == (2, 3)
        world.source.close()
        world.database.close()


def test_a_quota_of_requests_stops_before_the_call(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, requests=2)
        world.source.search(world.word("refer"), max_hits=100)
        world.source.search(world.word("storm"), max_hits=100)
        world.source.search(world.word("storm"), max_hits=100)
        with pytest.raises(QuotaReached) as caught:
            world.source.search(world.word("quiet"), max_hits=100)
        assert caught.value.resets_at > datetime.now(UTC)
        assert server.n_arrived() == 2
        assert world.n_done() == 2
        world.database.close()


# Fetch ---------------------------------------------------------------------------------------------------------------


def test_a_fetch_uses_the_living_link_and_is_paid_once(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    path = world.source.fetch(clip, tmp_path / "one")
    assert path.read_bytes().startswith(b"\0\0\0\x18ftyp")
    assert list((tmp_path / "one").iterdir()) == [path]
    again = world.source.fetch(clip, tmp_path / "two")
    assert again.read_bytes() == path.read_bytes()
    assert world.server.answered == {"search": 1, "download": 1}
    assert world.limits.downloads.state().n_used == 1
    assert world.limits.requests.state().n_used == 2
    world.source.forget(clip.slug)
    assert not list((world.home_path / "downloads").iterdir())


def test_a_new_process_asks_for_a_fresh_link(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    second = make_world(tmp_path, world.server, worker_id="w2")
    second.source.fetch(clip, tmp_path / "into")
    assert world.server.answered == {"search": 1, "link": 1, "download": 1}
    assert [entry[0] for entry in world.entries()] == ["search", "link", "download"]
    second.database.close()


def test_a_download_survives_a_kill_before_it_was_stored(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.source.fetch(clip, tmp_path / "lost-with-the-worker")
    second = make_world(tmp_path, world.server, worker_id="w2")
    second.source.fetch(clip, tmp_path / "into")
    assert world.server.n_arrived() == 2
    second.database.close()


def test_a_download_whose_file_is_gone_is_made_again(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.source.fetch(clip, tmp_path / "one")
    world.source.forget(clip.slug)
    world.source.fetch(clip, tmp_path / "two")
    assert world.server.answered["download"] == 2
    assert world.n_done("download") == 2


def test_a_link_of_five_minutes_ago_is_not_tried(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None, scale=1000.0) as server:
        world = make_world(tmp_path, server, time_scale=1000.0)
        clip = first_clip(world)
        time.sleep(0.35)
        server.scale = 1.0
        world.source.fetch(clip, tmp_path / "into")
        assert server.answered == {"search": 1, "link": 1, "download": 1}
        assert server.n_arrived("download") == 1
        world.database.close()


@pytest.mark.parametrize("wrong", [Wrong.GONE_410, Wrong.UNAUTHORIZED_401, Wrong.FORBIDDEN_403, Wrong.MISSING_404, Wrong.ERROR_400])
def test_any_4xx_is_a_dead_link_and_gets_one_fresh_one(world: World, tmp_path: Path, wrong: Wrong) -> None:
    clip = first_clip(world)
    world.server.misbehave("download", wrong)
    world.source.fetch(clip, tmp_path / "into")
    assert world.server.answered == {"search": 1, "link": 1, "download": 1}
    assert world.entries("download") == [("download", "failed", 1), ("download", "done", 2)]
    assert world.limits.downloads.state().n_used == 1


def test_a_fresh_link_that_is_dead_too_fails_the_clip(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.server.misbehave("download", Wrong.GONE_410, Wrong.GONE_410, Wrong.GONE_410)
    with pytest.raises(ProviderError) as caught:
        world.source.fetch(clip, tmp_path / "into")
    assert not isinstance(caught.value, KeyRefused | ProviderUnavailable)
    assert world.server.n_arrived("download") == 2
    assert world.server.n_arrived("link") == 1
    assert world.limits.downloads.state().n_used == 0
    assert not (tmp_path / "into").exists() or not list((tmp_path / "into").iterdir())


def test_links_that_died_early_are_renewed(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.server.kill_links()
    world.source.fetch(clip, tmp_path / "into")
    assert world.server.answered["link"] == 1


def test_a_search_without_links_costs_a_fresh_one(world: World, tmp_path: Path) -> None:
    world.server.misbehave("search", Wrong.NO_LINKS)
    clip = first_clip(world)
    world.source.fetch(clip, tmp_path / "into")
    assert world.server.answered == {"search": 1, "link": 1, "download": 1}


def test_a_clip_that_is_no_longer_there(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.server.forget(clip.slug)
    with pytest.raises(ProviderError, match="no longer"):
        world.source.fetch(clip, tmp_path / "into")


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong.CUT,
        Wrong.CUT_BEFORE,
        Wrong.SILENT,
        Wrong.ONE_BYTE,
        Wrong.HTML_200,
        Wrong.EMPTY_200,
        Wrong.ERROR_500,
        Wrong.GATEWAY_502,
        Wrong.OTHER_JSON,
    ],
)
def test_a_broken_download_is_in_doubt_and_made_again(world: World, tmp_path: Path, wrong: Wrong) -> None:
    clip = first_clip(world)
    world.server.misbehave("download", wrong)
    world.source.fetch(clip, tmp_path / "into")
    assert world.entries("download") == [("download", "in_doubt", 1), ("download", "done", 2)]
    assert [path.suffix for path in (world.home_path / "downloads").iterdir()] == [".mp4"]


@pytest.mark.parametrize("wrong", [Wrong.HUGE, Wrong.ENDLESS, Wrong.ZIP, Wrong.PLAYLIST])
def test_what_is_no_clip_is_paid_kept_aside_and_not_fetched_again(world: World, tmp_path: Path, wrong: Wrong) -> None:
    clip = first_clip(world)
    world.server.misbehave("download", wrong)
    with pytest.raises(BadAnswer):
        world.source.fetch(clip, tmp_path / "into")
    assert world.entries("download") == [("download", "done", 1)]
    names = [path.name for path in (world.home_path / "downloads").iterdir()]
    assert names == (["quarantine"] if wrong in (Wrong.ZIP, Wrong.PLAYLIST) else [])
    assert world.limits.downloads.state().n_used == 1


def test_a_429_to_a_download_is_no_dead_link(world: World, tmp_path: Path) -> None:
    clip = first_clip(world)
    world.server.retry_after = "1"
    world.server.misbehave("download", Wrong.RATE_429)
    world.source.fetch(clip, tmp_path / "into")
    assert world.server.answered == {"search": 1, "download": 1}
    assert world.limits.downloads.state().n_used == 1


def test_a_429_that_never_ends_is_given_up(world: World, tmp_path: Path) -> None:
    world.server.retry_after = "0"
    world.server.misbehave("search", *[Wrong.RATE_429] * 50)
    world.source._calls._unnamed_wait_s = 0.01
    with pytest.raises(RateLimited):
        world.source.search(world.word("refer"), max_hits=10)
    assert world.server.n_arrived() == 8


def test_a_quota_of_downloads_stops_before_the_call(tmp_path: Path) -> None:
    with LoopbackClipCafe(corpus(), limit=None) as server:
        world = make_world(tmp_path, server, downloads=1)
        hits = world.source.search(world.word("refer"), max_hits=100)
        world.source.fetch(world.clip(hits[0]), tmp_path / "into")
        with pytest.raises(QuotaReached, match="downloads"):
            world.source.fetch(world.clip(hits[1]), tmp_path / "into")
        assert server.n_arrived() == 2
        world.database.close()


def test_a_full_disk_spends_nothing(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    clip = first_clip(world)
    real = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: real._replace(free=1000))
    with pytest.raises(DiskFull):
        world.source.fetch(clip, tmp_path / "into")
    assert world.server.n_arrived("download") == 0
    monkeypatch.undo()
    world.source.fetch(clip, tmp_path / "into")


def test_real_films_arrive_whole(tmp_path: Path) -> None:
    from core.adapters.media_av import AvMediaTools
    from core.rules.playable import learner_problems

    with LoopbackClipCafe(corpus(), ClipFilms(tmp_path / "films").bytes_of, limit=None) as server:
        world = make_world(tmp_path, server)
        hits = world.source.search(world.word("refer"), max_hits=100)
        paths = [world.source.fetch(world.clip(hit), tmp_path / "into") for hit in hits[:2]]
        facts = [AvMediaTools().probe(path) for path in paths]
        assert facts[0].media_id != facts[1].media_id
        assert [learner_problems(one) for one in facts] == [(), ()]
        world.database.close()


def test_old_downloads_are_swept(world: World, tmp_path: Path) -> None:
    world.source.fetch(first_clip(world), tmp_path / "into")
    (world.home_path / "downloads" / ".part-abc").write_bytes(b"half")
    assert world.source.sweep(older_than_s=3600) == 0
    assert world.source.sweep(older_than_s=-1) == 2


def test_a_half_whose_process_has_ended_is_swept_at_once_and_no_other(world: World) -> None:
    import socket
    import subprocess

    folder = world.home_path / "downloads"
    folder.mkdir(parents=True, exist_ok=True)
    gone = subprocess.Popen(["true"])
    gone.wait()
    left = folder / f".part-{socket.gethostname()}-{gone.pid}-abc"
    others = [folder / f".part-{socket.gethostname()}-{os.getpid()}-abc", folder / f".part-elsewhere-{gone.pid}-abc", folder / ".part-abc"]
    for path in (left, *others):
        path.write_bytes(b"half")
    assert world.source.sweep(older_than_s=3600) == 1
    assert sorted(folder.iterdir()) == sorted(others)


# Keys, limits, concurrency -------------------------------------------------------------------------------------------


def test_no_key_in_rows_logs_or_errors(world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.server.misbehave("search", Wrong.ERROR_500)
    world.server.misbehave("download", Wrong.GONE_410)
    world.source.fetch(first_clip(world), tmp_path / "into")
    assert len(caplog.records) > 5
    assert KEY not in caplog.text
    with world.database.read() as connection:
        rows = repr(connection.execute(select(ledger)).all())
    assert KEY not in rows
    assert "key=" not in rows
    assert "api_key" not in rows
    assert KEY not in repr(world.source.__dict__.get("_links").__class__)


def test_the_limit_is_kept_by_many(tmp_path: Path) -> None:
    """Six threads and two sources; a minute of fifteen seconds, in which a busy machine is not late."""
    clips = make_corpus([f"word{n:03d}" for n in range(60)], clips_a_word=3)
    with LoopbackClipCafe(clips, limit=10, scale=4.0, latency_s=0.05) as server:
        worlds = [make_world(tmp_path, server, rate=(10, 15.0), worker_id=f"w{n}") for n in range(2)]
        words = iter([f"word{n:03d}" for n in range(24)])
        lock = threading.Lock()

        def work(world: World) -> None:
            while True:
                with lock:
                    word = next(words, None)
                if word is None:
                    return
                world.source.search(world.word(word), max_hits=100)

        threads = [threading.Thread(target=work, args=(worlds[n % 2],)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert server.n_429 == 0
        assert server.most_in_a_window() <= 10
        assert server.answered["search"] == 24
        assert worlds[0].n_done() == 24
        for world in worlds:
            world.database.close()


def test_one_call_asked_by_two_at_once_is_made_once(world: World) -> None:
    world.server.latency_s = 0.3
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(world.source.search(world.word("refer"), max_hits=50)))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert world.server.n_arrived() == 1
    assert world.limits.requests.state().n_used == 1


def test_a_request_held_up_past_its_slot_takes_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the worker was paused between the slot and the request."""
    slots = world.limits.slots
    real, n_held = slots.hold, []

    def late(slot):  # type: ignore[no-untyped-def]
        n_held.append(slot)
        return real(replace(slot, expires_s=slot.due_s - 300.0) if len(n_held) <= 4 else slot)

    monkeypatch.setattr(slots, "hold", late)
    assert len(world.source.search(world.word("refer"), max_hits=100)) > 5
    assert world.entries() == [("search", "failed", 1), ("search", "done", 2)]
    assert world.server.n_arrived() == 1
    assert world.limits.requests.state().n_used == 1


def test_an_answer_is_not_lost_where_its_slot_cannot_be_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the disk is full, or the database locked, at the very moment at which it comes: the slot stays counted as late as can be."""

    def refuse(_slot: object) -> None:
        raise DiskFull("No room left for the database.")

    monkeypatch.setattr(world.limits.slots, "answered", refuse)
    assert len(world.source.search(world.word("refer"), max_hits=100)) > 5
    assert world.entries() == [("search", "done", 1)]
    assert world.server.n_arrived() == 1


@pytest.mark.parametrize("url", ["ftp://x/", "http://", "http://a:b@host/", "http://host/?api_key=1", "x y"])
def test_an_address_that_cannot_be_used(tmp_path: Path, url: str) -> None:
    from core.adapters.source_clipcafe import _checked

    with pytest.raises(InvalidInput):
        _checked(url)
