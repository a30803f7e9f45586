"""What ClipCafe answers, read without trust; keys are never kept."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import BadAnswer
from core.model.clips import Source
from core.model.transcripts import Cue
from core.rules.clipcafe_answers import (
    READ_NAMES,
    kept_fields,
    parse_cues,
    parse_hit,
    parse_year,
    plain_of_secrets,
    read_link,
    read_page,
    read_refusal,
    split_transcript,
)

KEY = "abc123secret"
RAW = {
    "clipID": 77,
    "title": "&quot;Refer&quot; &amp;#39;em",
    "slug": "the-lantern-keeper-77",
    "transcript": "Ada: [sighs] I refer you | I refer you to him. [door slams]",
    "subtitles": json.dumps(
        {"2": {"TimeStart": 2, "TimeEnd": "3.5", "Text": "to him."}, "1": {"TimeStart": 1, "TimeEnd": 2, "Text": "I refer you"}}
    ),
    "duration": "4.25",
    "resolution": "1920x\n1080",
    "views": 12,
    "likes": None,
    "movie_title": "The Lantern&#8217;s Keeper",
    "movie_year": "1994",
    "movie_plot": "N/A",
    "movie_director": "N/A",
    "movie_language": "['English', 'French']",
    "movie_rated": "R",
    "movie_imdbscore": "7.9",
    "imdb": "https://imdb.example/title/tt0111161/",
    "actors": "Ada Quill, Bruno Vance,",
    "characters": "",
    "season": None,
    "episode": 0.0,
    "thumbnail-full": f"https://x.example/t.jpg?api_key={KEY}&w=3",
    "download": f"https://api.example/?api_key={KEY}&slug=s&key=k1",
}


def test_a_whole_hit() -> None:
    hit, problems = parse_hit(kept_fields(RAW, [KEY]))
    assert hit is not None
    assert problems == ()
    assert (hit.source, hit.slug, hit.title) == (Source.CLIPCAFE, "the-lantern-keeper-77", '"Refer" \'em')
    assert hit.spoken == "I refer you to him."
    assert hit.script == "Ada: [sighs] I refer you"
    assert hit.cues == (Cue(1.0, 2.0, "I refer you"), Cue(2.0, 3.5, "to him."))
    assert (hit.duration_s, hit.start_s, hit.end_s) == (4.25, 0.0, 4.25)
    film = hit.film
    assert (film.title, film.year, film.rating, film.director) == ("The Lantern’s Keeper", 1994, "R", "")
    assert (film.imdb_id, film.language) == ("tt0111161", "English, French")
    assert hit.metadata["resolution"] == "1920x1080"
    assert hit.metadata["actors"] == "Ada Quill, Bruno Vance"
    assert hit.metadata["thumbnail"] == "https://x.example/t.jpg?w=3"
    assert "plot" not in hit.metadata
    assert "likes" not in hit.metadata
    assert KEY not in repr(hit)


@pytest.mark.parametrize(("title", "read"), [("Unknown", "Unknown"), ("None", "None"), ("N/A", ""), ("null", ""), ("-", "-"), (None, "")])
def test_a_film_may_be_called_unknown(title: object, read: str) -> None:
    hit, _ = parse_hit({**RAW, "movie_title": title, "title": title, "movie_director": "Unknown"})
    assert hit is not None
    assert (hit.film.title, hit.title, hit.film.director) == (read, read or hit.slug, "")


def test_the_names_of_older_files() -> None:
    old = {
        "clip_id": "9",
        "clip_title": "T",
        "clip_slug": "s-9",
        "duration_seconds": 3,
        "imdb_id": "tt1234567",
        "transcript": "A: hi | hello there",
        "download_url": "https://x.example/?key=1",
        "file_path": "/a/b.mp4",
        "vocabulary_word": "hello",
    }
    hit, _ = parse_hit(old)
    assert hit is not None
    assert (hit.slug, hit.title, hit.duration_s, hit.film.imdb_id, hit.spoken) == ("s-9", "T", 3.0, "tt1234567", "hello there")
    assert hit.metadata == {"clip_id": "9"}
    assert read_link(old) == "https://x.example/?key=1"
    assert "download_url" not in kept_fields(old, [])


@pytest.mark.parametrize("nothing", [None, "", "N/A", [], {}])
def test_every_field_can_be_nothing_or_missing(nothing: object) -> None:
    for name in RAW:
        for raw in ({**RAW, name: nothing}, {key: value for key, value in RAW.items() if key != name}):
            hit, _ = parse_hit(raw)
            assert (hit is None) == (raw.get("slug") in (None, "", [], {}))
    assert parse_hit({"slug": "only"})[0] is not None
    assert parse_hit({})[0] is None


@pytest.mark.parametrize("nothing", [None, "", " ", "N/A", "null", 7, [], {}])
def test_a_link_that_is_none_is_none(nothing: object) -> None:
    assert read_link({"download": nothing}) == ""
    assert read_link({"download": nothing, "download_url": "https://x.example/?key=1"}) == "https://x.example/?key=1"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(READ_NAMES | {"download"})), VALUES))
def test_anything_is_read_without_a_raise(raw: dict[str, object]) -> None:
    kept = kept_fields(raw, [KEY])
    json.dumps(kept, allow_nan=False).encode("utf-8")  # as every database can keep it: PostgreSQL takes no NaN
    hit, _ = parse_hit(kept)
    if hit is not None:
        json.dumps([hit.slug, hit.title, hit.spoken, hit.script, dict(hit.metadata)]).encode("utf-8")
        assert hit.duration_s >= 0
        assert "\x00" not in hit.title + hit.spoken + hit.script


@pytest.mark.parametrize("slug", ["", " ", 7, None, "a\x00b", "x" * 201, "\ud800", "a\nb"])
def test_a_hit_without_a_usable_slug_is_left_out_and_told(slug: object) -> None:
    hit, problems = parse_hit({**RAW, "slug": slug})
    assert hit is None
    assert len(problems) == 1


@pytest.mark.parametrize("slug", ["../../x", "con", "a/b", "-rf", "C:\\x", "\u202eevil", "\u00e9", "e\u0301"])
def test_an_odd_slug_is_data(slug: str) -> None:
    hit, _ = parse_hit({**RAW, "slug": slug})
    assert hit is not None
    assert hit.slug == slug


@pytest.mark.parametrize(
    ("value", "year"),
    [
        ("1994", 1994),
        (1994, 1994),
        (1994.0, 1994),
        ("2011–2019", 2011),
        ("(1987)", 1987),
        ("N/A", None),
        (None, None),
        ("", None),
        (True, None),
        ("19945", None),
        ("12", None),
        (float("nan"), None),
        ("in 2099", 2099),
    ],
)
def test_years(value: object, year: int | None) -> None:
    assert parse_year(value) == year


@pytest.mark.parametrize(
    ("text", "script", "spoken"),
    [
        ("A: x | he said so", "A: x", "he said so"),
        ("A: x | ", "A: x", ""),
        ("A: x |", "A: x", ""),
        (" | he said so", "", "he said so"),
        ("| he said so", "", "he said so"),
        ("no bar at all", "no bar at all", ""),
        ("", "", ""),
        ("A: one | B: two | he said so", "A: one | B: two", "he said so"),
        ("A: x | [door slams] (laughs) go!", "A: x", "go!"),
        ("either|or | what the hell, fuck", "either|or", "what the hell, fuck"),
    ],
)
def test_only_what_stands_behind_the_bar_is_spoken(text: str, script: str, spoken: str) -> None:
    assert split_transcript(text, ()) == (script, spoken)


def test_cues_decide_between_bars_and_stand_in_for_a_missing_half() -> None:
    cues = (Cue(0, 1, "this"), Cue(1, 2, "or | that"))
    assert split_transcript("A: x | this or | that", cues) == ("A: x", "this or | that")
    assert split_transcript("A: this", (Cue(0, 1, "this"),)) == ("A: this", "this")
    assert split_transcript("A: this |", (Cue(0, 1, "[noise] this"),)) == ("A: this", "this")


@pytest.mark.parametrize(
    ("value", "n", "is_told"),
    [
        ("", 0, False),
        (None, 0, False),
        ("{}", 0, False),
        ("not json", 0, True),
        ("[" * 5000, 0, True),
        ("5", 0, True),
        ('{"1": null}', 0, True),
        ('{"1": {"TimeStart": 1, "TimeEnd": 1, "Text": "x"}}', 0, True),
        ('{"1": {"TimeStart": "0:01", "TimeEnd": "0:02,5", "Text": "x"}}', 1, False),
        ({"1": {"TimeStart": 0, "TimeEnd": 2, "Text": "x &amp; y"}}, 1, False),
        ('[{"TimeStart": 0, "TimeEnd": 1e400, "Text": "x"}]', 0, True),
    ],
)
def test_cues(value: object, n: int, is_told: bool) -> None:
    cues, problem = parse_cues(value)
    assert (len(cues), bool(problem)) == (n, is_told)


def test_pages() -> None:
    page = read_page({"hits": {"total": {"value": 3}, "hits": [{"_source": {"slug": "a"}}, {"slug": "b"}, None, {"_source": 4}]}})
    assert [row.get("slug") for row in page.sources] == ["a", "b", None, None]
    assert page.n_total == 3
    assert read_page({"hits": {"hits": [], "total": 0}}).n_total == 0
    assert read_page({"hits": {"hits": []}}).n_total is None
    for wrong in (None, [], {}, {"hits": None}, {"hits": []}, {"hits": {"hits": None}}, {"error": "x"}, "x"):
        with pytest.raises(BadAnswer):
            read_page(wrong)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (f"https://a/?api_key={KEY}&slug=x&key=9", "https://a/?slug=x"),
        ("https://a/?slug=x&KEY=9#top", "https://a/?slug=x#top"),
        ("see https://a/?apikey=1 and https://b/?key=2&v=1.", "see https://a/ and https://b/?v=1."),
        (f"told {KEY} twice {KEY}", "told *** twice ***"),
        ("https://a/?monkey=7", "https://a/?monkey=7"),
        ("https://a/?x=1&amp;api_key=2", "https://a/?x=1"),
        ("no address", "no address"),
    ],
)
def test_keys_are_taken_out(text: str, plain: str) -> None:
    assert plain_of_secrets(text, [KEY]) == plain


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"error": "unknown api_key"}', "unknown api_key."),
        (b'{"message": "Slow down!", "code": 7}', "Slow down!"),
        (b'{"error": {"code": 7}}', '{"error": {"code": 7}}'),
        (b'{"error": "cut', '{"error": "cut'),
        (b"<h1>Not Found</h1>", ""),
        (b"", ""),
        (b"{" + b'"a":{' * 300, "{" + '"a":{' * 300),
    ],
)
def test_a_refusal_is_told_in_its_own_words(body: bytes, says: str) -> None:
    assert read_refusal(body) == says
