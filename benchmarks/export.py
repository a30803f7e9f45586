"""Export: our sender beside a bare loop that posts the same bodies, and the memory that each takes.

    python benchmarks/export.py [--clips 120] [--clip-mib 1.5]

A sink in a process of its own reads each request whole and answers as a backend does. The bare loop has every body ready
in memory before the clock starts; our sender reads the files, encodes, and checks the answers while the clock runs. Each
runs in a process of its own, three times in turn; the best of each counts. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT_PATH = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT_PATH))

from core.model.exports import VideoItem, WordMapping  # noqa: E402
from core.rules.payload import split_batches  # noqa: E402

RATIO_WANTED, MEMORY_WANTED_MIB = 0.9, 400


class Sink(BaseHTTPRequestHandler):
    """Answers every upload with one result for each slug that it saw."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        slugs = re.findall(rb'"slug":"(clip-\d+)","name"', body)
        results = [{"slug": slug.decode(), "video_id": i + 1, "status": "created"} for i, slug in enumerate(slugs)]
        answer = json.dumps({"success": True, "results": results}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Nothing: the figures are the output."""


def make_items(folder: Path, n_clips: int, clip_bytes: int) -> list[VideoItem]:
    items = []
    for i in range(n_clips):
        path = folder / f"{i}.mp4"
        if not path.exists():
            path.write_bytes(os.urandom(clip_bytes))
        words = [{"word": f"word{n}", "start": n / 3, "end": n / 3 + 0.2, "confidence": 0.9} for n in range(30)]
        mappings = (WordMapping(f"word{i}", "en", 0.9, "audio", 1.0),)
        text = "I refer you to the manual."
        slug, facts = f"clip-{i}", {"slug": f"clip-{i}"}
        items.append(VideoItem(slug, f"{slug}-0123", "mp4", str(path), clip_bytes, text, text, True, {"words": words}, facts, mappings))
    return items


def send_ours(url: str, items: list[VideoItem]) -> float:
    from core.adapters.target_http import HttpTarget
    from core.model.exports import ItemStatus
    from core.rules.sending import send_isolating

    target = HttpTarget(url)
    started = time.perf_counter()
    statuses = [result.status for _, result in send_isolating(target, "bench", items)]
    elapsed_s = time.perf_counter() - started
    assert statuses == [ItemStatus.CREATED] * len(items), statuses
    return elapsed_s


def send_bare(url: str, items: list[VideoItem]) -> float:
    """The fastest plain loop we know: the standard library's client, one connection, whole bodies."""
    import http.client

    from core.adapters.payload_stream import payload_stream

    bodies = [b"".join(payload_stream("bench", batch)) for batch in split_batches(items)]
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    started = time.perf_counter()
    for body in bodies:
        connection.request("POST", "/v3/admin/videos/batch-upload", body, {"Content-Type": "application/json"})
        assert json.loads(connection.getresponse().read())["success"] is True
    return time.perf_counter() - started


def measure(which: str, url: str, folder: str, options: argparse.Namespace) -> dict[str, float]:
    arguments = [which, url, folder, "--clips", str(options.clips), "--clip-mib", str(options.clip_mib)]
    done = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", nargs="?", choices=["ours", "bare", "sink"])
    parser.add_argument("url", nargs="?", default="")
    parser.add_argument("folder", nargs="?", default="")
    parser.add_argument("--clips", type=int, default=120)
    parser.add_argument("--clip-mib", type=float, default=1.5)
    options = parser.parse_args()
    clip_bytes = int(options.clip_mib * 1024 * 1024)
    if options.which == "sink":
        server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
        print(server.server_port, flush=True)
        server.serve_forever()
    elif options.which:
        items = make_items(Path(options.folder), options.clips, clip_bytes)
        elapsed_s = (send_ours if options.which == "ours" else send_bare)(options.url, items)
        print(json.dumps({"elapsed_s": elapsed_s, "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
    else:
        compare(options, clip_bytes)


def compare(options: argparse.Namespace, clip_bytes: int) -> None:
    start_sink = [sys.executable, __file__, "sink"]
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(start_sink, stdout=subprocess.PIPE, text=True) as sink:
        assert sink.stdout is not None
        url = f"http://127.0.0.1:{sink.stdout.readline().strip()}"
        make_items(Path(folder), options.clips, clip_bytes)
        try:
            rounds = [{which: measure(which, url, folder, options) for which in ("bare", "ours")} for _ in range(3)]
        finally:
            sink.terminate()
    ours_s, bare_s = (min(one[which]["elapsed_s"] for one in rounds) for which in ("ours", "bare"))
    total_mib = options.clips * options.clip_mib
    memory_mib = max(one["ours"]["memory_mib"] for one in rounds)
    print(
        json.dumps(
            {
                "clips": options.clips,
                "mib": total_mib,
                "ours_mib_per_s": round(total_mib / ours_s, 1),
                "bare_mib_per_s": round(total_mib / bare_s, 1),
                "ratio": round(bare_s / ours_s, 3),
                "ours_peak_mib": round(memory_mib, 1),
                "bare_peak_mib": round(max(one["bare"]["memory_mib"] for one in rounds), 1),
                "is_reached": bare_s / ours_s >= RATIO_WANTED and memory_mib <= MEMORY_WANTED_MIB,
            }
        )
    )


if __name__ == "__main__":
    main()
