"""Transcribe: media → transcript, kept by content, engine and model."""

from __future__ import annotations

from sqlalchemy import Connection, select

from core.errors import UnsupportedMedia
from core.model.clips import Clip
from core.model.reviews import MappingState
from core.model.runs import Stage
from core.model.transcripts import CORRECTION, Transcript
from core.pipeline.bench import Bench, digest
from core.pipeline.fetch import each_clip
from core.pipeline.progress import WordTask
from core.pipeline.work import WordEnd
from core.ports import Recognition
from core.store.clips import set_clip
from core.store.media_rows import find_transcript, load_transcript, save_transcript
from core.store.tables import mappings


def run_transcribe(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Recognises every chosen clip once a content, engine and model; what a person corrected or approved stays in force."""
    each_clip(bench, run_id, word_id, Stage.TRANSCRIBE, "Transcribing", transcribe_clip)
    return None


def transcribe_clip(bench: Bench, task: WordTask, clip: Clip) -> None:
    """Give the clip its transcript."""
    if clip.media_id is None:
        raise UnsupportedMedia(f"{clip.slug} was not fetched.")
    transcriber = bench.transcriber(task.run.settings)
    with bench.database.read() as connection:
        if clip.transcript_id is not None and _is_settled(connection, clip):
            return
        known = find_transcript(connection, clip.media_id, transcriber.engine, transcriber.model)
    if known is None:
        path = bench.media_files.local_path(clip.media_id)
        recognition = transcriber.transcribe(path, language=task.word.language, known_cues=clip.cues)
        transcript = as_transcript(clip.media_id, recognition)
        known = transcript.transcript_id
        with bench.database.write() as connection:
            save_transcript(connection, transcript)
    with bench.database.write() as connection:
        set_clip(connection, clip.clip_id, transcript_id=known)


def _is_settled(connection: Connection, clip: Clip) -> bool:
    """Whether a person wrote the clip's text, or approved a word with it: another recogniser's is then not what they saw."""
    approved = select(mappings.c.mapping_id).where(mappings.c.clip_id == clip.clip_id, mappings.c.state == MappingState.APPROVED)
    return load_transcript(connection, clip.transcript_id or "").engine == CORRECTION or connection.execute(approved).first() is not None


def as_transcript(media_id: str, recognition: Recognition) -> Transcript:
    """A recognition with its identity: media, engine, model and what it said."""
    return Transcript(
        transcript_id=digest("transcript", media_id, recognition.engine, recognition.model, recognition.text),
        media_id=media_id,
        engine=recognition.engine,
        model=recognition.model,
        language=recognition.language,
        text=recognition.text,
        segments=recognition.segments,
        words=recognition.words,
        is_verified_by_audio=recognition.is_verified_by_audio,
        notes=recognition.notes,
    )
