"""Media tools on real films and on films made to be awkward: exact cuts, sound in step with the picture, plain refusals."""

from __future__ import annotations

import contextlib
import os
import random
import resource
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from core.adapters.isolated import IsolatedPool
from core.adapters.media_av import AvMediaTools
from core.adapters.media_captions import plain_ass_text
from core.adapters.media_cut import clip_rate
from core.errors import DiskFull, InvalidInput, MediaError, UnreadableMedia, UnsupportedMedia
from core.rules.playable import learner_problems
from tests.loopback.made_films import is_flash, make_film, read_number, tone

TOOLS = AvMediaTools()


def frames_of(path: Path) -> list[av.VideoFrame]:
    with av.open(str(path)) as film:
        return list(film.decode(video=0))


def sound_of(path: Path, rate_hz: int = 48_000) -> np.ndarray:
    """Mono samples of a file whose sound begins at 0."""
    with av.open(str(path)) as film:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate_hz)
        blocks = []
        for frame in film.decode(audio=0):
            assert blocks or frame.pts == 0
            frame.pts = None
            blocks += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
        return np.concatenate(blocks + [piece.to_ndarray()[0] for piece in resampler.resample(None)])


def lag_of(part: np.ndarray, whole: np.ndarray, expected: int, reach: int = 400) -> int:
    """By how many samples `part` sits later in `whole` than expected."""
    best = [float(np.dot(part, whole[expected + lag : expected + lag + len(part)])) for lag in range(-reach, reach + 1)]
    return int(np.argmax(best)) - reach


def onset_s(samples: np.ndarray, rate_hz: int = 48_000) -> float:
    return int(np.flatnonzero(np.abs(samples) > 0.25)[0]) / rate_hz


# What files are


@pytest.mark.parametrize(
    ("name", "duration_s", "codec", "size", "fps", "sound", "n_streams", "subtitles", "is_faststart"),
    [
        ("composite_popeye_ljspeech.mp4", 60.0, "h264", (640, 476), 24, "aac", (1, 1), [], True),
        ("nasa_13013.mp4", 13.056, "h264", (320, 180), 25, "aac", (2, 2), [("mov_text", True)] * 2, False),
        ("popeye_T00-1.mkv", 60.0, "hevc", (1440, 1074), 24, None, (1, 0), [("pgssub", False)], False),
        ("big_buck_bunny_0_30.webm", 30.02, "vp8", (1280, 720), 24, "vorbis", (1, 1), [], False),
    ],
)
def test_the_probe_reads_real_films(media_path, name, duration_s, codec, size, fps, sound, n_streams, subtitles, is_faststart):
    facts = TOOLS.probe(media_path / "video" / name)
    assert facts.duration_s == pytest.approx(duration_s, abs=0.005)
    assert facts.video is not None
    assert (facts.video.codec, facts.video.width_px, facts.video.height_px, facts.video.fps) == (codec, *size, fps)
    assert (facts.audio.codec if facts.audio else None) == sound
    assert (facts.n_video_streams, facts.n_audio_streams) == n_streams
    assert [(stream.codec, stream.is_text) for stream in facts.subtitles] == subtitles
    assert facts.is_faststart == is_faststart


def test_the_loudness_of_a_known_tone_is_right_and_silence_has_none(tmp_path: Path):
    def write(samples: np.ndarray, path: Path) -> Path:
        with av.open(str(path), "w") as film:
            stream = film.add_stream("pcm_s16le", rate=48_000, layout="stereo")
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16).repeat(2)[None, :], format="s16", layout="stereo")
            frame.sample_rate = 48_000
            film.mux(stream.encode(frame) + stream.encode(None))
        return path

    # EBU Tech 3341, case 1: a stereo sine of 1 kHz at -23 dBFS is -23 LUFS.
    sine = 10 ** (-23 / 20) * np.sin(2 * np.pi * 1000 * np.arange(20 * 48_000) / 48_000)
    assert TOOLS.probe(write(sine, tmp_path / "sine.wav")).loudness_lufs == pytest.approx(-23.0, abs=0.1)
    assert TOOLS.probe(write(np.zeros(48_000), tmp_path / "silence.wav")).loudness_lufs is None


# Cutting


@pytest.mark.parametrize("start_frame", [0, 1, 47, 48, 49, 77])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_cut_on_whole_frames_has_exactly_these_frames_at_a_constant_rate(tmp_path: Path, start_frame: int, suffix: str):
    film = make_film(tmp_path / f"film{suffix}")
    cut = TOOLS.cut(film, start_frame / 24, (start_frame + 36) / 24, tmp_path)
    frames = frames_of(cut)
    assert [read_number(frame) for frame in frames] == list(range(start_frame, start_frame + 36))
    assert frames[0].pts == 0
    assert frames[0].key_frame
    assert {b.pts - a.pts for a, b in zip(frames, frames[1:], strict=False)} == {512}
    assert TOOLS.probe(cut).duration_s == pytest.approx(1.5, abs=0.001)


@pytest.mark.parametrize("start_s", [0.0, 1.2345, 3.3333])
@pytest.mark.parametrize("rate_hz", [44_100, 48_000, 22_050, 16_000])
def test_the_sound_of_a_cut_begins_on_the_right_sample(tmp_path: Path, start_s: float, rate_hz: int):
    film = make_film(tmp_path / "film.mp4", rate_hz=rate_hz)
    cut = TOOLS.cut(film, start_s, start_s + 1.5, tmp_path)
    part, whole = sound_of(cut)[2400:50_000], tone(6 * 48_000, 48_000)
    padded = np.concatenate([np.zeros(1000, np.float32), whole, np.zeros(60_000, np.float32)])
    assert abs(lag_of(part, padded, 1000 + 2400 + round(start_s * 48_000))) <= 2
    facts = TOOLS.probe(cut)
    assert facts.audio is not None
    assert facts.audio.sample_rate_hz == (rate_hz if rate_hz in (44_100, 48_000) else 48_000)


@pytest.mark.parametrize("start_s", [0.35, 1.777])
@pytest.mark.parametrize("fps", [24, 25, Fraction(30000, 1001), 30, 60])
def test_sound_and_picture_stay_in_step_within_ten_milliseconds(tmp_path: Path, start_s: float, fps: Fraction | int):
    film = make_film(tmp_path / "film.mp4", fps=fps, duration_s=5.0)
    source_flash = next(f.time for f in frames_of(film) if f.time > start_s + 0.15 and is_flash(f))
    cut = TOOLS.cut(film, start_s, 5.0, tmp_path)
    flash = next(frame.time for frame in frames_of(cut) if frame.time > 0.15 and is_flash(frame))
    assert flash == pytest.approx(source_flash - start_s, abs=0.010 if fps != 60 else 0.018)
    beep = onset_s(sound_of(cut)[round(0.15 * 48_000) :]) + 0.15
    assert beep == pytest.approx(np.ceil(start_s + 0.15) - start_s, abs=0.002)
    assert clip_rate(av.open(str(film)).streams.video[0]) <= 30


def test_a_start_between_two_frames_keeps_every_later_frame_at_its_own_time(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4")
    cut = TOOLS.cut(film, 2.0 + 0.5 / 24, 3.0, tmp_path)
    for frame in frames_of(cut)[1:]:
        assert frame.time + 2.0 + 0.5 / 24 == pytest.approx(read_number(frame) / 24, abs=0.001)


def test_a_cut_at_the_edge_of_a_shot_does_not_flash_the_one_before(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4")
    assert read_number(frames_of(TOOLS.cut(film, 3.083, 4.0, tmp_path))[0]) == 74  # frame 74 is shown at 3.08333 s


def test_real_films_become_clips_that_learners_can_play(media_path: Path, tmp_path: Path):
    for name, problems in (("composite_popeye_ljspeech.mp4", ()), ("nasa_13013.mp4", ()), ("popeye_T00-1.mkv", ("there is no sound",))):
        facts = TOOLS.probe(TOOLS.cut(media_path / "video" / name, 4.0, 7.0, tmp_path))
        assert learner_problems(facts) == problems
        assert facts.duration_s == pytest.approx(3.0, abs=0.001)
    assert facts.video is not None
    assert (facts.video.width_px, facts.video.height_px) == (966, 720)  # 1440 x 1074 within 1280 x 720


def test_the_picture_of_a_real_cut_is_the_film_s_own(media_path: Path, tmp_path: Path):
    film = media_path / "video" / "composite_popeye_ljspeech.mp4"
    clip = frames_of(TOOLS.cut(film, 305 / 24, 320 / 24, tmp_path))
    with av.open(str(film)) as opened:
        source = [frame for frame in opened.decode(video=0) if frame.pts is not None and 305 <= round(frame.time * 24) < 320]
    for one, other in zip(clip, source, strict=True):
        assert np.abs(one.to_ndarray(format="gray").astype(int) - other.to_ndarray(format="gray").astype(int)).mean() < 3


def test_square_pixels_and_even_sides(tmp_path: Path):
    # 191 x 107 cannot be yuv420p in H.264; FFV1 in Matroska can.
    odd = make_film(tmp_path / "odd.mkv", size=(191, 107), codec="ffv1", pixel_format="yuv444p", options={"level": "3"}, audio_codec="flac")
    facts = TOOLS.probe(TOOLS.cut(odd, 0.0, 1.0, tmp_path))
    assert facts.video is not None
    assert (facts.video.width_px, facts.video.height_px, facts.video.pixel_format) == (192, 108, "yuv420p")
    wide = make_film(tmp_path / "wide.mp4", options={"crf": "12", "aspect": "1"}, size=(180, 144), has_audio=False)
    with av.open(str(wide)) as film:
        ratio = film.streams.video[0].sample_aspect_ratio
    facts = TOOLS.probe(TOOLS.cut(wide, 0.0, 1.0, tmp_path))
    assert facts.video is not None
    assert facts.video.width_px == pytest.approx(180 * float(ratio or 1), abs=2)


def test_ten_bit_hevc_becomes_eight_bit_h264(tmp_path: Path):
    film = make_film(
        tmp_path / "film.mkv", codec="libx265", pixel_format="yuv420p10le", options={"x265-params": "log-level=none"}, duration_s=2.0
    )
    assert TOOLS.probe(film).video.pixel_format == "yuv420p10le"  # type: ignore[union-attr]
    assert learner_problems(TOOLS.probe(TOOLS.cut(film, 0.5, 1.5, tmp_path))) == ()


def test_a_variable_rate_becomes_constant_and_stays_in_time(tmp_path: Path):
    rng = random.Random(4)
    pts, at = [], 0
    while at < 5000:
        pts.append(at)
        at += rng.choice([20, 33, 40, 90, 240])
    film = make_film(tmp_path / "film.mkv", pts=pts, time_base=Fraction(1, 1000), duration_s=5.0)
    cut = TOOLS.cut(film, 1.0, 4.0, tmp_path)
    rate = float(TOOLS.probe(cut).video.fps)  # type: ignore[union-attr]
    for frame in frames_of(cut)[1:]:
        shown = pts[read_number(frame)] / 1000
        assert -1.3 / rate <= shown - (frame.time + 1.0) <= 0.3 / rate or shown <= frame.time + 1.0
    assert TOOLS.probe(cut).duration_s == pytest.approx(3.0, abs=0.005)


def test_a_clock_that_does_not_begin_at_zero(tmp_path: Path):
    film = make_film(tmp_path / "film.ts", start_offset_s=7.0, duration_s=4.0)
    assert TOOLS.probe(film).duration_s == pytest.approx(4.0, abs=0.05)
    cut = TOOLS.cut(film, 2.0, 3.0, tmp_path)
    assert read_number(frames_of(cut)[0]) in (47, 48, 49)
    assert onset_s(sound_of(cut)) < 0.06


def test_a_film_without_sound_and_a_sound_without_picture(tmp_path: Path):
    silent = TOOLS.probe(TOOLS.cut(make_film(tmp_path / "silent.mp4", has_audio=False), 1.0, 2.0, tmp_path))
    assert silent.audio is None
    assert silent.video is not None
    sound = make_film(tmp_path / "sound.mp4", has_video=False)
    facts = TOOLS.probe(TOOLS.cut(sound, 1.0, 3.5, tmp_path))
    assert learner_problems(facts) == ()
    assert facts.duration_s == pytest.approx(2.5, abs=0.002)
    assert (facts.video.width_px, facts.video.height_px) == (640, 360)  # type: ignore[union-attr]
    with pytest.raises(UnsupportedMedia, match=r"sound\.mp4 has no picture"):
        TOOLS.still(sound, 1.0, tmp_path)


def test_the_first_of_two_pictures_and_sounds_is_taken(media_path: Path, tmp_path: Path):
    cut = TOOLS.cut(media_path / "video" / "nasa_13013.mp4", 1.0, 2.0, tmp_path)
    facts = TOOLS.probe(cut)
    assert (facts.n_video_streams, facts.n_audio_streams, facts.subtitles) == (1, 1, ())
    assert facts.video.fps == 25  # type: ignore[union-attr]


# Stills, envelope, captions, smaller copies


def test_a_still_is_the_frame_on_screen(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4")
    for at_s, number in ((0.0, 0), (2.0, 48), (2.03, 48), (3.5, 84), (99.0, 143)):
        (still,) = frames_of(TOOLS.still(film, at_s, tmp_path))
        assert read_number(still) == number
    (small,) = frames_of(TOOLS.still(film, 0.0, tmp_path, width_px=96))
    assert (small.width, small.height) == (96, 54)


def test_peaks_follow_the_sound(tmp_path: Path):
    peaks = TOOLS.peaks(make_film(tmp_path / "film.mp4", duration_s=5.0), 50)
    assert [index for index, peak in enumerate(peaks) if peak > 0.5] == [0, 10, 20, 30, 40]
    assert TOOLS.peaks(make_film(tmp_path / "silent.mp4", has_audio=False), 4) == (0.0,) * 4


def test_captions_inside_a_real_film(media_path: Path):
    cues = TOOLS.embedded_captions(media_path / "video" / "nasa_13013.mp4")
    assert (cues[0].start_s, cues[0].end_s) == (0.21, 4.26)
    assert cues[0].text == "NAR: This is the optical and science segment of the Webb"
    assert [cue.start_s for cue in cues] == sorted(cue.start_s for cue in cues)
    assert TOOLS.embedded_captions(media_path / "video" / "popeye_T00-1.mkv") == ()  # pictures, not text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (r"0,0,Default,,0,0,0,,{\i1}Well{\i0}, yes.\NNo?", "Well, yes.\nNo?"),
        (r"3,0,Sign,,0,0,0,,{\p1}m 0 0 l 10 10{\p0}", ""),
        (r"1,0,Default,Ann,0,0,0,,<i>One</i>, two, three", "One, two, three"),
        (r"1,0,Default,,0,0,0,,{\pos(10,20)\c&HFF&} a\hb ", "a b"),
    ],
)
def test_codes_of_ass_are_no_words(event: str, text: str):
    assert plain_ass_text(event) == text


def test_a_smaller_copy_fits_and_keeps_its_speech(media_path: Path, tmp_path: Path):
    clip = TOOLS.cut(media_path / "video" / "composite_popeye_ljspeech.mp4", 32.0, 34.0, tmp_path)
    limit_bytes = clip.stat().st_size // 2
    made = TOOLS.shrink(clip, tmp_path / "small", max_bytes=limit_bytes)
    facts = TOOLS.probe(made)
    assert facts.size_bytes <= limit_bytes
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert learner_problems(facts) == ()
    assert list((tmp_path / "small").iterdir()) == [made]
    loud = [np.sqrt(np.mean(block**2)) for block in np.array_split(sound_of(made), 20)]
    heard = [np.sqrt(np.mean(block**2)) for block in np.array_split(sound_of(clip), 20)]
    assert loud == pytest.approx(heard, rel=0.2, abs=0.005)
    with pytest.raises(UnsupportedMedia, match="cannot be made smaller"):
        TOOLS.shrink(clip, tmp_path / "none", max_bytes=2_000)
    assert list((tmp_path / "none").iterdir()) == []


# Bad input


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("page.mp4", b"\n\n<html><head>", "web page"),
        ("list.mp4", b"#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1/a.ts\n", "playlist"),
        ("list.mkv", b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        ("session.mp4", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n", "playlist"),
        ("zip.mp4", b"PK\x03\x04" + bytes(200), "archive"),
        ("tar.mp4", bytes(257) + b"ustar" + bytes(300), "archive"),
        ("picture.mp4", b"\x89PNG\r\n\x1a\n" + bytes(100), "picture"),
        ("text.mp4", "Just some words, né?".encode(), "text"),
        ("utf16.mp4", "words".encode("utf-16"), "text"),
        ("noise.mp4", random.Random(1).randbytes(5000), "does not decode"),
        ("zeros.mp4", bytes(5000), "does not decode"),
        ("only_mdat.mp4", b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x18mdat" + bytes(16), "no index"),
    ],
)
def test_what_is_no_film_says_what_it_is(tmp_path: Path, name: str, content: bytes, said: str):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableMedia, match=said) as caught:
        TOOLS.probe(path)
    assert name in caught.value.message


def test_a_list_that_hides_behind_a_film_s_ending_reads_no_other_file(media_path: Path, tmp_path: Path):
    """Even past the sniffing, the decoder itself takes no playlist."""
    from core.adapters.media_open import reading

    other = media_path / "video" / "nasa_13013.mp4"
    for name, text in (("a.mp4", f"\x00\n#EXTM3U\n#EXTINF:1,\n{other}\n"), ("b.mp4", f"\x80\x00ffconcat version 1.0\nfile '{other}'\n")):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
        with pytest.raises(MediaError), reading(tmp_path / name):
            pass


@pytest.mark.parametrize("name", ["concat:x.mp4", "http:x.mp4", "-i.mp4", "a b'\"$(x).mp4", "ünï\u202e.mp4", "%d.mp4", "con.mp4"])
def test_odd_names_of_files_are_only_names(tmp_path: Path, name: str):
    make_film(tmp_path / "plain.mp4", duration_s=1.0).rename(tmp_path / name)
    cut = TOOLS.cut(tmp_path / name, 0.0, 0.5, tmp_path / "into")
    assert TOOLS.probe(cut).duration_s == pytest.approx(0.5, abs=0.001)
    assert cut.name.isascii()


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("is_faststart", [True, False])
def test_a_film_that_is_cut_off_is_refused_or_read_as_far_as_it_goes(tmp_path: Path, share: float, is_faststart: bool):
    film = make_film(tmp_path / "film.mp4", container_options={"movflags": "+faststart"} if is_faststart else {})
    data = film.read_bytes()
    film.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UnreadableMedia, match=r"film\.mp4 (is cut off|has no index|does not decode)"):
        TOOLS.probe(film)


@pytest.mark.parametrize("seed", range(6))
def test_a_damaged_film_fails_alone_or_is_read(tmp_path: Path, seed: int):
    """Fuzzing in a process of its own: an error of ours or a correct reading, never a dead program, nothing left behind."""
    film = make_film(tmp_path / "film.mp4", duration_s=2.0, container_options={"movflags": "+faststart"})
    data = bytearray(film.read_bytes())
    rng = random.Random(seed)
    with IsolatedPool(1, timeout_s=30) as pool:
        for _ in range(8):
            damaged = bytearray(data)
            for _ in range(rng.choice([1, 5, 60])):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
            film.write_bytes(damaged)
            for call in (lambda: pool.run(TOOLS.probe, film), lambda: pool.run(TOOLS.cut, film, 0.2, 1.5, tmp_path / "into")):
                with contextlib.suppress(MediaError, InvalidInput):
                    call()
    assert all(made.suffix == ".mp4" and not made.name.startswith(".") for made in (tmp_path / "into").glob("*"))


def _cut_with_little_room(film: Path, into: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    AvMediaTools().cut(film, 0.0, 10.0, into)


def test_a_full_disk_is_named_and_leaves_nothing(media_path: Path, tmp_path: Path):
    with IsolatedPool(1) as pool, pytest.raises(DiskFull):
        pool.run(_cut_with_little_room, media_path / "video" / "composite_popeye_ljspeech.mp4", tmp_path / "into")
    assert list((tmp_path / "into").iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_a_file_that_may_not_be_read(tmp_path: Path):
    film = make_film(tmp_path / "film.mp4", duration_s=1.0)
    film.chmod(0)
    with pytest.raises(UnreadableMedia, match="cannot be read"):
        TOOLS.probe(film)
