"""How exact word times are after forced alignment, per set and kind of sound, and how long it takes.

Starts from caption-style times (a cue spread over its words, off by up to a quarter of a second), as a film with subtitles
does. Run: `.venv/bin/python -m benchmarks.alignment [--kinds clean,noise,music]`. Needs the test media.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from core.adapters.aligner_pocketsphinx import PocketSphinxAligner
from core.model.transcripts import TimedBy
from tests.models.spoken_truth import Utterance, boundary_errors, composite, mixed, utterances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", default="clean,noise,music")
    parser.add_argument("--worst", type=int, default=0, help="also print the worst aligned words")
    arguments = parser.parse_args()
    sets = {"hand": [u for u in utterances() if u.timing == "hand"], "machine": [u for u in utterances() if u.timing == "machine"]}
    sets["composite"] = [composite()]
    print("set        sound   words aligned  errors of the aligned, ms: p50   p90   p95   max  over 100 ms  captions p90  core s a s")
    with tempfile.TemporaryDirectory() as folder:
        for kind in arguments.kinds.split(","):
            for name, members in sets.items():
                report(name, kind, members, Path(folder), arguments.worst)


def report(name: str, kind: str, members: list[Utterance], folder: Path, n_worst: int) -> None:
    aligner = PocketSphinxAligner()
    rows, before, elapsed_s, length_s = [], [], 0.0, 0.0
    for utterance in members:
        path = mixed(utterance, kind, folder)
        started = time.process_time()
        words = aligner.align(path, utterance.caption_words, language="en")
        elapsed_s += time.process_time() - started
        length_s += max(end_s for _, _, end_s in utterance.truth)
        rows += [(utterance.name, *row) for row in boundary_errors(words, utterance.truth)]
        before += [error for _, *errors in boundary_errors(utterance.caption_words, utterance.truth) for error in errors]
    aligned = [row for row in rows if row[1].timed_by is TimedBy.ALIGNMENT]
    errors = np.array([error for row in aligned for error in row[2:]] or [float("nan")]) * 1000
    over = sum(max(row[2:]) > 0.1 for row in aligned) / max(1, len(aligned))
    p50, p90, p95 = np.percentile(errors, [50, 90, 95])
    print(
        f"{name:10} {kind:6} {len(rows):6} {len(aligned) / len(rows):7.1%} {'':26}{p50:5.0f} {p90:5.0f} {p95:5.0f} {errors.max():5.0f}"
        f" {over:12.1%} {np.percentile(np.array(before) * 1000, 90):12.0f} {elapsed_s / length_s:12.3f}"
    )
    for row in sorted(aligned, key=lambda row: -max(row[2:]))[:n_worst]:
        print("   ", row[0], row[1].text, f"{row[1].start_s:.2f}-{row[1].end_s:.2f}", f"{row[2] * 1000:.0f} {row[3] * 1000:.0f} ms")


if __name__ == "__main__":
    main()
