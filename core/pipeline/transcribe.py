"""Transcribe: media → transcript, kept by content, engine and model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import TypeGuard

from sqlalchemy import Connection, select

from core.errors import ModelMissing, StoreError, UnsupportedMedia, WordreelError
from core.model.clips import Clip, Source
from core.model.reviews import MappingState
from core.model.runs import Stage
from core.model.transcripts import CORRECTION, Cue, Transcript
from core.pipeline.bench import Bench, digest
from core.pipeline.fetch import each_clip
from core.pipeline.progress import WordTask, load_task, say
from core.pipeline.work import WordEnd
from core.ports import BatchTranscriber, Recognition, Transcriber
from core.rules.cues import spoken_cues
from core.store import runs as run_rows
from core.store.clips import load_clip, set_clip
from core.store.media_rows import find_transcript, load_facts, load_transcript, save_transcript
from core.store.tables import mappings

Faults = Mapping[str, WordreelError]
"""media_id → why it could not be recognised."""


def run_transcribe(bench: Bench, run_id: str, word_id: int) -> WordEnd | None:
    """Recognises every chosen clip once a content, engine and model; what a person corrected or approved stays in force."""
    with bench.database.read() as connection:
        task = load_task(connection, run_id, word_id)
    transcriber = bench.transcriber(task.run.settings)
    faults = recognise_together(bench, task, transcriber) if _is_batch(transcriber) else {}
    each_clip(bench, run_id, word_id, Stage.TRANSCRIBE, "Transcribing", partial(transcribe_clip, faults=faults))
    return None


def recognise_together(bench: Bench, task: WordTask, transcriber: BatchTranscriber) -> Faults:
    """Recognise at once what the word's clips still lack, and keep each transcript; what failed, with its reason.

    A clip that another word is at is left to it: its lock is taken only if it is free, so that nobody waits for each other.
    """
    with bench.database.read() as connection:
        chosen = sorted(row[0] for row in run_rows.clips_of_word(connection, task.run.run_id, task.word.word_id) if row[2] == "chosen")
    with ExitStack() as held:
        mine = [clip_id for clip_id in chosen if _try_hold(bench, clip_id, held)]
        with bench.database.read() as connection:
            clips = [load_clip(connection, clip_id) for clip_id in mine]
            lacking = {clip.media_id: clip for clip in clips if clip.media_id and _lacks_transcript(connection, clip, transcriber)}
        if len(lacking) < 2:
            return {}
        with bench.database.write() as connection:
            say(connection, task, f"Transcribing {len(lacking)} clips together")
        return _keep_all(bench, task, transcriber, list(lacking))


def _keep_all(bench: Bench, task: WordTask, transcriber: BatchTranscriber, media_ids: list[str]) -> Faults:
    """Raises: ModelMissing and StoreError, which no clip alone could get past."""
    faults: dict[str, WordreelError] = {}
    paths = {}
    for media_id in media_ids:
        try:
            paths[media_id] = bench.media_files.local_path(media_id)
        except StoreError:
            raise
        except WordreelError as error:
            faults[media_id] = error
    if not paths:
        return faults
    try:
        outcomes = transcriber.transcribe_many(list(paths.values()), language=task.word.language)
    except (ModelMissing, StoreError):
        raise
    except WordreelError as error:
        return faults | dict.fromkeys(paths, error)
    for media_id, outcome in zip(paths, outcomes, strict=True):
        if isinstance(outcome, WordreelError):
            faults[media_id] = outcome
        else:
            with bench.database.write() as connection:
                save_transcript(connection, as_transcript(media_id, outcome))
    return faults


def _try_hold(bench: Bench, clip_id: int, held: ExitStack) -> bool:
    lock = bench.clip_lock(clip_id)
    if not lock.acquire(blocking=False):
        return False
    held.callback(lock.release)
    return True


def _is_batch(transcriber: Transcriber) -> TypeGuard[BatchTranscriber]:
    return hasattr(transcriber, "transcribe_many")


def _lacks_transcript(connection: Connection, clip: Clip, transcriber: Transcriber) -> bool:
    if clip.transcript_id is not None and _is_settled(connection, clip):
        return False
    return find_transcript(connection, clip.media_id or "", transcriber.engine, transcriber.model) is None


def transcribe_clip(bench: Bench, task: WordTask, clip: Clip, faults: Faults | None = None) -> None:
    """Give the clip its transcript. Raises: its fault, where it was tried with others already."""
    if clip.media_id is None:
        raise UnsupportedMedia(f"{clip.slug} was not fetched.")
    transcriber = bench.transcriber(task.run.settings)
    with bench.database.read() as connection:
        if clip.transcript_id is not None and _is_settled(connection, clip):
            return
        known = find_transcript(connection, clip.media_id, transcriber.engine, transcriber.model)
    if known is None and faults and clip.media_id in faults:
        raise faults[clip.media_id]
    if known is None:
        path = bench.media_files.local_path(clip.media_id)
        recognition = transcriber.transcribe(path, language=task.word.language, known_cues=_known_cues(bench, clip))
        transcript = as_transcript(clip.media_id, recognition)
        known = transcript.transcript_id
        with bench.database.write() as connection:
            save_transcript(connection, transcript)
    with bench.database.write() as connection:
        set_clip(connection, clip.clip_id, transcript_id=known)


def _known_cues(bench: Bench, clip: Clip) -> tuple[Cue, ...]:
    """What is known to be spoken in the clip. Of ClipCafe's subtitles only that; a line that came without times is one long cue."""
    if clip.source is not Source.CLIPCAFE:
        return clip.cues
    if cues := spoken_cues(clip.cues):
        return cues
    with bench.database.read() as connection:
        duration_s = load_facts(connection, clip.media_id or "").duration_s
    return spoken_cues([Cue(0.0, duration_s, clip.spoken)])


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
