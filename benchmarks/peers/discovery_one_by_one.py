"""The work of one run done one call after another, as the pipeline before this one did it: for `benchmarks.discovery`.

A word is searched; each of its clips is judged twice for that word alone; the best `want` are downloaded, by the search's link or,
where that has died, by a fresh one; each is recognised. It keeps ClipCafe's limit by waiting before a request that would pass it.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.adapters.judge_openai import SCHEMA, prompt, write_question
from core.model.transcripts import Cue
from tests.loopback import clipcafe, openai
from tests.loopback.clipcafe_corpus import CorpusClip

LINK_LIFE_S = 300.0
USED_OF_LIFE = 0.9


@dataclass
class OneByOne:
    """One thread, one call at a time. `window_s` is the limit's window, in real seconds."""

    clipcafe_url: str
    openai_url: str
    limit: int
    window_s: float
    folder: Path
    n_requests: int = 0
    _sent: deque[float] = field(default_factory=deque)

    def do(self, word: str, *, max_videos: int, want: int, recognise: Any) -> None:
        """Everything for one word."""
        searched_s = time.monotonic()
        hits = json.loads(self._get({"transcript": word, "size": "100", "sort": "views", "order": "desc"}))["hits"]["hits"]
        found = [hit["_source"] for hit in hits[:max_videos]]
        scored = []
        for raw in found:
            text = str(raw["transcript"]).partition(" | ")[2]
            scores = [self.judge(text, word) for _ in range(2)]
            scored.append((max(scores), raw))
        scored.sort(key=lambda pair: -pair[0])
        for _, raw in scored[:want]:
            path = self.folder / "one.mp4"
            path.write_bytes(self._download(raw, searched_s))
            cues = [Cue(cue["TimeStart"], cue["TimeEnd"], cue["Text"]) for cue in json.loads(raw["subtitles"] or "{}").values()]
            recognise(path, cues)

    def judge(self, text: str, word: str) -> float:
        """The clip's relevance for the word; 0 where it is left out."""
        answer = ask_judge(self.openai_url, text, word)
        items = json.loads(answer["choices"][0]["message"]["content"])["words"]
        return max((item["relevance"] for item in items), default=0.0)

    def _download(self, raw: dict[str, Any], searched_s: float) -> bytes:
        link = raw["download"]
        life_s = LINK_LIFE_S * self.window_s / clipcafe.WINDOW_S * USED_OF_LIFE
        if time.monotonic() - searched_s > life_s:
            link = json.loads(self._get({"slug": raw["slug"], "size": "1"}))["hits"]["hits"][0]["_source"]["download"]
        return self._get({}, link)

    def _get(self, params: dict[str, str], link: str = "") -> bytes:
        while len(self._sent) >= self.limit and time.monotonic() - self._sent[0] < self.window_s * 1.003:
            time.sleep(0.005)
        self._sent.append(time.monotonic())
        while len(self._sent) > self.limit:
            self._sent.popleft()
        self.n_requests += 1
        query = urllib.parse.urlencode({**params, "api_key": clipcafe.KEY})
        with urllib.request.urlopen(link or f"{self.clipcafe_url}?{query}", timeout=60) as answer:
            self._sent[-1] = time.monotonic()
            return bytes(answer.read())


def ask_judge(url: str, text: str, word: str) -> dict[str, Any]:
    """One call about one clip and one word, with this pipeline's own prompt and schema, so that only the number of calls differs."""
    body = {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": prompt()}, {"role": "user", "content": write_question(text, [word])}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "verdicts", "strict": True, "schema": dict(SCHEMA)}},
        "max_completion_tokens": 1200,
        "temperature": 0,
    }
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {openai.KEY}"}
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return dict(json.loads(answer.read()))


def count_old_tokens(clips_of: Sequence[tuple[str, Sequence[CorpusClip]]], fetched: set[tuple[str, str]]) -> tuple[int, int]:
    """Tokens of two calls a clip and word, really sent; and those where the second is only made for what was fetched (slug, word)."""
    with openai.LoopbackOpenAI() as model:
        n_all = n_lean = 0
        for word, clips in clips_of:
            for clip in clips:
                usage = ask_judge(model.url, clip.spoken or clip.script, word)["usage"]["total_tokens"]
                ask_judge(model.url, clip.spoken or clip.script, word)
                n_lean += usage * (2 if (clip.slug, word) in fetched else 1)
        n_all = model.tokens
    return n_all, n_lean
