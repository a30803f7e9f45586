"""Clips a minute: several short clips in one window of Whisper, beside faster-whisper file by file, same model, same clips.

THE MODEL HAS RANDOM WEIGHTS. It has the size of Whisper `tiny` (4 + 4 layers of 384) and runs faster-whisper's real code, so that
the work of encoder, decoder and word alignment is real; what it "hears" is noise, so this says nothing about words or their times.
Its vocabulary is a hundredth of the real one, which makes decoding cheaper than it is, and it seldom ends a window cleanly, so that
both ways encode the rest again (the column windows). A random model never ends by itself: both ways let it say as many tokens as
people say in that much sound (4 a second).
The clips are lines spoken by espeak-ng, 1–8 s. Run: `.venv/bin/python -m benchmarks.recognition [--clips 24] [--model FOLDER]`;
with --model a real CTranslate2 model is measured as it is, and the words that the two ways have in common are counted.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from core.adapters import packed_recognition, transcriber_whisper
from core.adapters.packed_recognition import PackedTranscriber
from core.adapters.sound_av import SAMPLE_RATE_HZ, read_pcm
from core.adapters.transcriber_whisper import WhisperTranscriber, load_model
from core.adapters.voice_espeak import speak
from core.ports import Recognition
from tests.models import tiny_whisper
from tests.models.spoken_truth import write_wav

TOKENS_A_SECOND = 4.0
LINES = (
    "The captain ordered everybody to abandon the sinking ship.",
    "She was reluctant to describe the enormous bridge to the curious traveller.",
    "Nobody believed him.",
    "Emergency exits remain open during the storm, and the crew must wait.",
    "We measured the temperature twice before anybody complained about the engine.",
    "Look out!",
    "I never promised you that the weather would be tolerable in November.",
    "What a magnificent, absolutely unnecessary argument.",
)


@dataclass
class Counting:
    """A loaded model that counts its windows and, when its weights are random, is held to as many tokens as people say."""

    model: Any
    is_random: bool
    n_windows: int = 0

    def transcribe(self, audio: Any, **settings: Any) -> Any:
        if self.is_random:
            settings["max_new_tokens"] = math.ceil(TOKENS_A_SECOND * len(audio) / SAMPLE_RATE_HZ)
        return self.model.transcribe(audio, **settings)

    def watch(self) -> None:
        encode = self.model.encode

        def counted(features: Any) -> Any:
            self.n_windows += 1
            return encode(features)

        self.model.encode = counted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--model", default="", help="a folder with a real model")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model_path = Path(arguments.model) if arguments.model else build_random_model(Path(folder) / "random-tiny-size")
        paths = make_clips(Path(folder), arguments.clips)
        length_s = sum(len(read_pcm(path)) for path in paths) / SAMPLE_RATE_HZ
        counting = Counting(load_model(str(model_path)), is_random=not arguments.model)
        counting.watch()
        transcriber_whisper.load_model = packed_recognition.load_model = lambda name: counting  # type: ignore[assignment]
        whisper = WhisperTranscriber(str(model_path))
        ways = {
            "file by file": lambda: [whisper.transcribe(path, language="en", known_cues=()) for path in paths],
            "packed": lambda: PackedTranscriber(whisper).transcribe_many(paths, language="en"),
        }
        kind = "RANDOM weights, the size of tiny" if not arguments.model else model_path.name
        print(f"{len(paths)} clips of {length_s / len(paths):.1f} s on average; model: {kind}")
        print(f"{'way':14}{'windows':>8}{'wall s':>9}{'core s':>9}{'clips a minute':>16}{'a core minute':>15}")
        results = {name: measure(name, way, counting, len(paths), arguments.rounds) for name, way in ways.items()}
        (_, wall_s, core_s), (_, packed_wall_s, packed_core_s) = results["file by file"], results["packed"]
        print(f"packed is {wall_s / packed_wall_s:.1f} times as fast by the clock, {core_s / packed_core_s:.1f} times by core time")
        if arguments.model:
            print(f"words in common: {agreement(results['file by file'][0], results['packed'][0]):.1%}")


def measure(name: str, way: Any, counting: Counting, n_clips: int, n_rounds: int) -> tuple[Sequence[Any], float, float]:
    """The best of some rounds, after one that warms up."""
    best_wall_s = best_core_s = math.inf
    found: Sequence[Any] = ()
    for round_number in range(n_rounds + 1):
        counting.n_windows = 0
        wall_s, core_s = time.perf_counter(), time.process_time()
        found = way()
        if round_number:
            best_wall_s = min(best_wall_s, time.perf_counter() - wall_s)
            best_core_s = min(best_core_s, time.process_time() - core_s)
    rates = f"{n_clips / best_wall_s * 60:16.0f}{n_clips / best_core_s * 60:15.0f}"
    print(f"{name:14}{counting.n_windows:8}{best_wall_s:9.2f}{best_core_s:9.2f}{rates}")
    return found, best_wall_s, best_core_s


def agreement(first: Sequence[Any], second: Sequence[Any]) -> float:
    """The share of words that both ways heard in the same order in the same clip."""
    same = total = 0
    for a, b in zip(first, second, strict=True):
        if isinstance(a, Recognition) and isinstance(b, Recognition):
            left, right = a.text.casefold().split(), b.text.casefold().split()
            same += sum(block.size for block in SequenceMatcher(None, left, right, autojunk=False).get_matching_blocks())
            total += max(len(left), len(right))
    return same / max(1, total)


def make_clips(folder: Path, n_clips: int) -> list[Path]:
    paths = []
    for n in range(n_clips):
        line = speak(LINES[n % len(LINES)], rate_wpm=130 + 10 * (n % 5))
        paths.append(write_wav(folder / f"clip{n}.wav", line.pcm, line.sample_rate_hz))
    return paths


def build_random_model(folder: Path) -> Path:
    """The tests' model of random weights, as large as Whisper `tiny`."""
    from ctranslate2.specs import WhisperSpec

    tiny_whisper.WIDTH, tiny_whisper.HEADS = 384, 6  # type: ignore[misc]
    tiny_whisper.WhisperSpec = lambda _a, heads, _b, other_heads: WhisperSpec(4, heads, 4, other_heads)
    return tiny_whisper.build_tiny_whisper(folder)


if __name__ == "__main__":
    main()
