"""Key to the next clip's first frame, in Chromium on the running app: `python -m benchmarks.desk [--keys 60]`.

The desk and a page of `st.video` and `st.button` (`benchmarks/peers/desk_streamlit.py`) take turns in one run over the same
demo clips, both served on loopback by this machine. A sample is the time from the browser's own `keydown` event (its
`timeStamp`, before any page's script runs) to the moment at which `requestVideoFrameCallback` reports the first presented frame
of the next clip. Keys are pressed when the last clip has played for `--pause` seconds; a person takes longer.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import VARIABLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT_PATH = Path(__file__).resolve().parents[1]
PEER_PATH = Path(__file__).parent / "peers" / "desk_streamlit.py"
TARGET_P95_MS = 150.0
VIEWPORT = {"width": 1440, "height": 900}
FIND = """const find = (root, selector) => { for (const node of root.querySelectorAll('*')) { if (node.matches(selector)) return node;
  const deeper = node.shadowRoot && find(node.shadowRoot, selector); if (deeper) return deeper; } return null; };"""
WATCH = f"""() => {{ {FIND}
  const seen = () => find(document, 'video.seen') ?? document.querySelector('video');
  const name = (video) => video && (video.dataset.clip ?? video.currentSrc);
  window.arm = () => {{ window.before = name(seen()); window.taken_ms = null; }};
  window.addEventListener('keydown', (event) => {{
    const look = () => {{
      const now = seen();
      if (!now || !name(now) || name(now) === window.before) return requestAnimationFrame(look);
      now.requestVideoFrameCallback(() => {{ window.taken_ms = performance.now() - event.timeStamp; }});
    }};
    look();
  }}, {{ capture: true }});
}}"""
"""Both pages are watched by the same code: it sees another clip on the page and asks for that one's next presented frame."""


@dataclass(frozen=True, slots=True)
class Result:
    """One page's samples, in milliseconds."""

    name: str
    taken_ms: Sequence[float]

    def percentile(self, share: float) -> float:
        """The sample below which `share` of them lie, nearest rank."""
        ordered = sorted(self.taken_ms)
        return ordered[max(0, min(len(ordered) - 1, round(share * len(ordered) + 0.5) - 1))]


def main() -> int:
    """Measure both, print the table; exit 1 where the desk misses its target or half of its peer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=60, help="samples a page")
    parser.add_argument("--pause", type=float, default=1.2, help="seconds between a first frame and the next key")
    options = parser.parse_args()
    chromium = os.environ.get("WORDREEL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is needed: install it, or set WORDREEL_TEST_CHROMIUM to its program.")
    with tempfile.TemporaryDirectory() as folder:
        home_path = Path(folder) / "home"
        ports = [_free_port(), _free_port()]
        app = _start(["-m", "ui.cli", "serve", "--no-browser", "--port", str(ports[0])], {"WORDREEL_HOME": str(home_path)})
        peer: subprocess.Popen[bytes] | None = None
        try:
            _wait_for_demo(ports[0])
            clips_path = _clips(ports[0], Path(folder) / "clips")
            peer = _start(_peer_command(ports[1]), {"WORDREEL_BENCH_CLIPS": str(clips_path)})
            _wait_for(f"http://127.0.0.1:{ports[1]}/_stcore/health")
            results = _measure(chromium, ports, options.keys, options.pause)
        finally:
            for process in (app, peer):
                if process is not None:
                    process.terminate()
                    process.wait(timeout=20)
    return _report(results)


def _measure(chromium: str, ports: Sequence[int], n_keys: int, pause_s: float) -> list[Result]:
    """Ten keys here, ten there, until both have enough, so that a busy moment of the machine meets both."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        desk, peer = _open_desk(browser, ports[0]), _open_peer(browser, ports[1])
        taken: dict[str, list[float]] = {"the desk": [], "st.video + st.button": []}
        for page in (desk, peer):
            page.bring_to_front()
            _press(page, pause_s)  # not counted: the first key warms both
        while min(len(found) for found in taken.values()) < n_keys:
            for name, page in (("the desk", desk), ("st.video + st.button", peer)):
                page.bring_to_front()
                time.sleep(pause_s)
                taken[name] += [_press(page, pause_s) for _ in range(min(10, n_keys - len(taken[name])))]
        browser.close()
    return [Result(name, found) for name, found in taken.items()]


def _press(page: Page, pause_s: float) -> float:
    """Milliseconds from key to frame. Where the desk's queue has ended, what was skipped is shown again and the key pressed anew."""
    is_over = f"(() => {{ {FIND} return find(document, '[data-testid=desk][data-view=end]') !== null; }})()"
    while True:
        page.evaluate("window.arm()")
        page.keyboard.press("s")
        page.wait_for_function(f"typeof window.taken_ms === 'number' || {is_over}", timeout=20_000)
        taken_ms = page.evaluate("window.taken_ms")
        if taken_ms is None:
            page.get_by_test_id("desk-show-skipped").click()
            page.wait_for_timeout(2000)
            continue
        time.sleep(pause_s)
        return float(taken_ms)


def _open_desk(browser: Browser, port: int) -> Page:
    page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
    page.goto(f"http://127.0.0.1:{port}/review")
    page.get_by_test_id("desk-start").wait_for()
    page.keyboard.press("Enter")
    page.get_by_test_id("desk-approve").wait_for()
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    return page


def _open_peer(browser: Browser, port: int) -> Page:
    page = browser.new_context(viewport=VIEWPORT).new_page()  # type: ignore[arg-type]
    page.goto(f"http://127.0.0.1:{port}/")
    page.locator("video").wait_for()
    page.wait_for_timeout(3000)
    page.evaluate(WATCH)
    return page


def _clips(port: int, folder: Path) -> Path:
    """The demo's clips as files, in the order of the queue."""
    folder.mkdir()
    address = f"http://127.0.0.1:{port}"
    for place, head in enumerate(_read(f"{address}/api/review/desk")["visits"]):
        visit = _read(f"{address}/api/review/visits/{head['clip_id']}")
        with urllib.request.urlopen(address + visit["media_url"], timeout=30) as answer:
            (folder / f"{place:03d}.mp4").write_bytes(answer.read())
    return folder


def _start(arguments: list[str], settings: dict[str, str]) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES} | settings
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT_PATH, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def _peer_command(port: int) -> list[str]:
    options = {
        "server.port": port,
        "server.address": "127.0.0.1",
        "server.headless": "true",
        "browser.gatherUsageStats": "false",
        "server.fileWatcherType": "none",
    }
    return ["-m", "streamlit", "run", str(PEER_PATH), *[f"--{name}={value}" for name, value in options.items()]]


def _wait_for(address: str, within_s: float = 120.0) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise SystemExit(f"{address} did not answer within {within_s:.0f} s.")


def _wait_for_demo(port: int) -> None:
    address = f"http://127.0.0.1:{port}"
    _wait_for(f"{address}/api/health")
    until = time.monotonic() + 180
    while time.monotonic() < until:
        runs = _read(f"{address}/api/runs")["runs"]
        if runs and runs[0]["status"] == "succeeded":
            return
        time.sleep(0.5)
    raise SystemExit("The demo was not made within three minutes.")


def _read(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return json.loads(answer.read())


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _report(results: Sequence[Result]) -> int:
    ours, theirs = results
    print(f"{'key → first frame, ms':<24}{'n':>5}{'p50':>8}{'p95':>8}{'max':>8}")
    for result in results:
        print(
            f"{result.name:<24}{len(result.taken_ms):>5}{statistics.median(result.taken_ms):>8.0f}"
            f"{result.percentile(0.95):>8.0f}{max(result.taken_ms):>8.0f}"
        )
    ratio = ours.percentile(0.95) / theirs.percentile(0.95)
    print(f"The desk's p95 is {ratio:.2f} of the peer's. Target: at most {TARGET_P95_MS:.0f} ms and at most 0.50.")
    print(f"Load average while measuring: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores.")
    return 0 if ours.percentile(0.95) <= TARGET_P95_MS and ratio <= 0.5 else 1


if __name__ == "__main__":
    raise SystemExit(main())
