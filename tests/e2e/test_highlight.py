"""The lit word is the one being said: sampled against times that are known beforehand, playing and scrubbing in pause."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.e2e import desk
from tests.e2e.app import Server

MARGIN_S = 0.06
"""Samples nearer to a boundary than this do not count: a frame of the film, and one of the screen, lie between."""
MIN_RIGHT_RATIO = 0.98
SAMPLE = """async (length_ms) => {
  FIND
  const video = find(document, 'video.seen'), words = find(document, '[data-testid=desk-words]'), rows = [], begun = performance.now();
  while (performance.now() - begun < length_ms) {
    const lit = words.querySelector('[data-testid=desk-word][data-lit=true]');
    rows.push([video.currentTime, lit ? Number(lit.dataset.wordIndex) : -1]);
    await new Promise((resolve) => setTimeout(resolve, 9));
  }
  return rows;
}""".replace("FIND", desk.FIND)
SCRUB = """async (times) => {
  FIND
  const video = find(document, 'video.seen'), words = find(document, '[data-testid=desk-words]'), rows = [];
  for (const time_s of times) {
    video.currentTime = time_s;
    await new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const lit = words.querySelector('[data-testid=desk-word][data-lit=true]');
    rows.push([video.currentTime, lit ? Number(lit.dataset.wordIndex) : -1]);
  }
  return rows;
}""".replace("FIND", desk.FIND)


def truth_of(home_path: Path, visit: Any) -> list[tuple[float, float]]:
    """When each word of a demo clip is said, in seconds of the clip: the film's word events less the cut that its slug names."""
    wanted = [word["text"] for word in visit["words"]]
    start_s = int(visit["slug"].rsplit("-", 3)[1]) / 1000  # title, start, end, hash
    for path in sorted((home_path / "demo").glob("*.words.json")):
        words = json.loads(path.read_text(encoding="utf-8"))["words"]
        texts = [word["word"] for word in words]
        for first in range(len(texts) - len(wanted) + 1):
            if texts[first : first + len(wanted)] == wanted:
                return [(word["start_s"] - start_s, word["end_s"] - start_s) for word in words[first : first + len(wanted)]]
    raise AssertionError(f"No demo film says {visit['captions']!r}.")


def judged(rows: Sequence[tuple[float, int]], truth: Sequence[tuple[float, float]]) -> tuple[int, int]:
    """(right, counted) of (time, lit word), away from boundaries."""
    right = counted = 0
    for time_s, lit in rows:
        if any(abs(time_s - edge_s) < MARGIN_S for word in truth for edge_s in word):
            continue
        spoken = next((index for index, (start_s, end_s) in enumerate(truth) if start_s <= time_s < end_s), -1)
        counted += 1
        right += lit == spoken
    return right, counted


def test_the_lit_word_is_the_spoken_one_on_clips_of_known_times(page: Page, app: Server) -> None:
    desk.open_desk(page, app.address)
    total = [0, 0]
    scrubbed = [0, 0]
    for _ in range(3):
        shown = desk.visit(page)
        truth = truth_of(app.home_path, shown)
        page.keyboard.press("w")  # the whole clip, not the loop round the word
        page.evaluate(f"() => {{ const video = ({desk.PLAYING})(); video.currentTime = 0; return video.play(); }}")
        for place, value in enumerate(judged(page.evaluate(SAMPLE, shown["duration_s"] * 1000), truth)):
            total[place] += value
        page.evaluate(f"() => ({desk.PLAYING})().pause()")
        steps = [shown["duration_s"] * place / 60 for place in (7, 31, 3, 55, 20, *range(60))]
        for place, value in enumerate(judged(page.evaluate(SCRUB, [step for step in steps if step < shown["duration_s"] - 0.1]), truth)):
            scrubbed[place] += value
        page.keyboard.press("ArrowRight")
        expect(desk.part(page, "stage")).not_to_have_attribute("data-clip-id", str(shown["clip_id"]))
    print(f"playing {total[0]} of {total[1]}, scrubbing {scrubbed[0]} of {scrubbed[1]}")
    assert total[1] > 300 and total[0] / total[1] >= MIN_RIGHT_RATIO, f"playing: {total[0]} of {total[1]}"
    assert scrubbed[1] > 60 and scrubbed[0] / scrubbed[1] >= MIN_RIGHT_RATIO, f"scrubbing: {scrubbed[0]} of {scrubbed[1]}"
