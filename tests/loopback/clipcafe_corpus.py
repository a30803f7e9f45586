"""A made-up ClipCafe: clips of made-up films, the same for the same seed, with the quirks of the real one."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

SCRIPT_ONLY_RATIO = 0.15
TWIN_RATIO = 0.06
WRONG_DURATION_RATIO = 1 / 3
WRONG_RESOLUTION_RATIO = 1 / 5

TEMPLATES = {
    1: (
        "I never thought that {0} would matter to you.",
        "You keep saying {0}, and nobody here believes you.",
        "Tell me about {0} before they come back.",
        "There is no {0} left in this town, is there?",
        "He lost it all because of {0}.",
    ),
    2: (
        "First it was {0}, then it was {1}, and now this.",
        "If you want {0}, you will have to live with {1}.",
        "Don't talk to me about {0} when you mean {1}!",
        "My father had a word for {0}. He called it {1}.",
    ),
    3: (
        "Between {0} and {1} there was always {2}, damn it.",
        "Some people get {0}. Some get {1}. I got {2}.",
        "Nobody told us that {0}, {1} and {2} would end like this.",
    ),
}
FIRST = ("Lantern", "Harbour", "Winter", "Glass", "Silent", "Paper", "Copper", "Broken", "Northern", "Second")
LAST = ("Keeper", "Road", "Letters", "Station", "Orchard", "Witness", "Ferry", "Garden", "Verdict", "Summer")
NAMES = ("Ada", "Bruno", "Clara", "Dmitri", "Esther", "Farid", "Greta", "Hugo")


@dataclass(frozen=True)
class CorpusClip:
    """One clip of the made-up world, as it really is; `raw` says it in ClipCafe's words, quirks included."""

    slug: str
    title: str
    film: str
    year: int
    script: str
    spoken: str
    duration_s: float
    stated_s: float
    stated_resolution: str
    views: int
    twin_of: str = ""
    number: int = 0

    @property
    def transcript(self) -> str:
        return f"{self.script} | {self.spoken}"

    def holds(self, word: str) -> bool:
        """Whether a search for the word finds it: in the script or in what is spoken."""
        return re.search(rf"\b{re.escape(word.casefold())}", self.transcript.casefold()) is not None

    def speaks(self, word: str) -> bool:
        return re.search(rf"\b{re.escape(word.casefold())}", self.spoken.casefold()) is not None

    def raw(self, download: str) -> dict[str, object]:
        """`_source` of its hit."""
        half = max(0, self.spoken.rfind(" ", 0, len(self.spoken) // 2 + 1))
        middle = self.duration_s / 2
        cues = {"1": {"TimeStart": 0.2, "TimeEnd": middle, "Text": self.spoken[:half]}}
        cues["2"] = {"TimeStart": middle, "TimeEnd": round(self.duration_s - 0.1, 2), "Text": self.spoken[half:].strip()}
        odd = self.number % 7
        return {
            "clipID": self.number,
            "title": self.title,
            "slug": self.slug,
            "transcript": self.transcript,
            "subtitles": json.dumps(cues) if self.spoken else "",
            "duration": str(self.stated_s) if odd == 1 else self.stated_s,
            "resolution": self.stated_resolution,
            "views": self.views,
            "likes": None if odd == 2 else self.views // 9,
            "date_added": "2021-03-04 05:06:07",
            "movie_title": self.film,
            "movie_year": str(self.year),
            "movie_plot": None if odd == 3 else "A town keeps a secret &amp; pays for it.",
            "movie_director": "N/A" if odd == 4 else "Ines Marlowe",
            "movie_language": "['English', 'French']" if odd == 5 else "English",
            "movie_rated": "R",
            "movie_imdbscore": "7.1",
            "imdb": f"tt{1000000 + self.year}",
            "actors": "Ada Quill, Bruno Vance,",
            "characters": "Tom &quot;The Ferry&quot; O&#39;Neil",
            "season": None,
            "episode": "",
            "thumbnail-full": f"https://thumbs.example/{self.slug}.jpg",
            "thumbnail-16x9": f"https://thumbs.example/{self.slug}-169.jpg?api_key=should-not-be-here",
            "download": download,
            "something_new": {"nested": [1, 2]},
        }


OLD_NAMES = {
    "clipID": "clip_id", "title": "clip_title", "slug": "clip_slug", "duration": "duration_seconds", "imdb": "imdb_id",
    "download": "download_url",
}  # fmt: skip
"""What older metadata files call a field."""


def in_old_names(raw: dict[str, object]) -> dict[str, object]:
    """The same fields as older metadata files have them, with those that only they had."""
    old = {OLD_NAMES.get(name, name): value for name, value in raw.items()}
    return old | {"vocabulary_word": "refer", "video_index": 3, "file_path": "/videos/refer_3.mp4", "file_size_mb": 1.4}


def make_corpus(words: Sequence[str], *, clips_a_word: int = 10, n_films: int = 40, seed: int = 1) -> list[CorpusClip]:
    """At least `clips_a_word` hits for each word, several words a clip; some only in the script, some twice, some wrongly stated."""
    chance = random.Random(seed)
    films = [(f"The {chance.choice(FIRST)} {chance.choice(LAST)} {n}", 1960 + n % 60) for n in range(n_films)]
    n_hits = dict.fromkeys(words, 0)
    clips: list[CorpusClip] = []
    for word in words:
        while n_hits[word] < clips_a_word:
            clip = _clip(chance, word, words, films, len(clips))
            clips.append(clip)
            if chance.random() < TWIN_RATIO:
                clips.append(_twin(chance, clip, len(clips)))
            for new in clips[-2:] if clips[-1].twin_of == clip.slug else clips[-1:]:
                for other in {word, *re.findall(r"[\w'-]+", new.transcript)} & n_hits.keys():
                    n_hits[other] += 1
    return clips


def _clip(chance: random.Random, word: str, words: Sequence[str], films: list[tuple[str, int]], number: int) -> CorpusClip:
    film, year = chance.choice(films)
    is_script_only = chance.random() < SCRIPT_ONLY_RATIO
    n_words = chance.choice((1, 1, 2, 2, 3))
    chosen = [] if is_script_only else [word]
    while len(chosen) < n_words:
        other = chance.choice(words) if len(words) > 1 else "silence"
        chosen.append("nothing" if other == word and is_script_only else other)
    chance.shuffle(chosen)
    spoken = chance.choice(TEMPLATES[n_words]).format(*chosen) + f" Take {number}, {chance.choice(NAMES)}."
    speaker = chance.choice(NAMES)
    direction = f"[{speaker} looks at the {word}]" if is_script_only else f"[{speaker} turns away]"
    script = f"{speaker}: {direction} {spoken if not is_script_only else '...'}"
    duration_s = round(min(14.5, 1.2 + len(spoken.split()) * 0.38 + chance.random()), 2)
    is_wrong = chance.random() < WRONG_DURATION_RATIO
    stated_s = round(min(15.0, max(1.0, duration_s * chance.uniform(0.7, 1.4))), 2) if is_wrong else duration_s
    return CorpusClip(
        slug=f"{film.lower().replace(' ', '-')}-{number}",
        title=f"&quot;{spoken[:30]}&quot; &amp; more",
        film=film,
        year=year,
        script=script,
        spoken=spoken,
        duration_s=duration_s,
        stated_s=stated_s,
        stated_resolution="1920x\n1080" if chance.random() < WRONG_RESOLUTION_RATIO else "192x108",
        views=chance.randrange(10, 100_000),
        number=number,
    )


def _twin(chance: random.Random, clip: CorpusClip, number: int) -> CorpusClip:
    """The same line of the same film, uploaded again."""
    from dataclasses import replace

    return replace(
        clip, slug=f"{clip.slug}-again", number=number, views=chance.randrange(10, 100_000), twin_of=clip.slug, title="Again", stated_s=3.0
    )
