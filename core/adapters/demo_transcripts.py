"""What the demo's voice says when, as transcripts: the times are the voice's own, to the sample."""

from __future__ import annotations

from core.adapters.demo_films import DemoFilm
from core.adapters.transcriber_known import ENGINE, MODEL, NOTE
from core.model.transcripts import Segment, TimedBy, Transcript, WordTiming
from core.rules.sentences import split_sentences
from core.store.media_files import hash_file


def known_transcript(film: DemoFilm) -> Transcript:
    """The whole film's transcript. Its words are in the sound because the same voice put them there."""
    media_id = hash_file(film.path)
    words = tuple(WordTiming(word.text, word.start_s, word.end_s, None, TimedBy.VOICE) for word in film.words)
    segments = tuple(
        Segment(words[first].start_s, words[end - 1].end_s, " ".join(word.text for word in words[first:end]))
        for first, end in split_sentences(words)
    )
    return Transcript(
        transcript_id=f"{ENGINE}-{media_id[:40]}",
        media_id=media_id,
        engine=ENGINE,
        model=MODEL,
        language="en",
        text=" ".join(word.text for word in words),
        segments=segments,
        words=words,
        is_verified_by_audio=True,
        notes=(NOTE,),
    )
