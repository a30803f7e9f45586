"""Ingest: films of the user's own folders → media, captions or recognition, and the time of every word. Originals are only read."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import InvalidInput, MediaError, ProviderError, WordreelError
from core.model.media import MediaFacts
from core.model.transcripts import Cue, Transcript
from core.pipeline.bench import Bench, digest
from core.pipeline.transcribe import as_transcript
from core.ports import Transcriber
from core.rules.cues import parse_captions, spoken_cues
from core.store import runs as run_rows
from core.store.media_rows import find_transcript, list_films, save_film, save_media, save_transcript, set_film_transcript

CAPTION_SUFFIXES = (".srt", ".vtt")
MAX_CAPTION_BYTES = 8 * 1024 * 1024
"""The captions of a long film are 0.2 MB, those that time every syllable 2 MB: what is larger is something else."""


@dataclass(frozen=True, slots=True)
class IngestedFile:
    """What became of one file: `ingested`, `known` or `failed`; the reason also says what is missing of an ingested one."""

    path: str
    media_id: str | None
    status: str
    reason: str


class Ingest:
    """Takes films in; `transcriber` hears or times their words."""

    def __init__(self, bench: Bench, transcriber: Transcriber) -> None:
        self._bench = bench
        self._transcriber = transcriber

    def run_job(self, job_id: str) -> None:
        """Take in every file of the job; one that fails has its reason and the rest goes on. Resumes after the last file done."""
        with self._bench.database.read() as connection:
            job = run_rows.load_job(connection, job_id)
        done = [IngestedFile(**file) for file in (job.result or {}).get("files", [])]
        seen = {file.path for file in done}
        for path in job.payload["paths"]:
            if path in seen:
                continue
            with self._bench.database.write() as connection:
                run_rows.set_job(connection, job_id, detail=f"Listening to {_shown(Path(path).name)}")
            done.append(self.take_in(Path(path), is_demo=bool(job.payload.get("is_demo"))))
            files = [{"path": file.path, "media_id": file.media_id, "status": file.status, "reason": file.reason} for file in done]
            with self._bench.database.write() as connection:
                run_rows.set_job(connection, job_id, done=len(done), result={"files": files})

    def take_in(self, path: Path, *, is_demo: bool) -> IngestedFile:
        """Take one film in; the same content with the same captions again is `known`."""
        if _shown(str(path)) != str(path):
            return IngestedFile(str(path), None, "failed", "Its name or folder is not UTF-8 text: rename it.")
        try:
            return self._take_in(path, is_demo=is_demo)
        except (MediaError, ProviderError) as error:
            return IngestedFile(str(path), None, "failed", error.message)
        except WordreelError as error:
            return IngestedFile(str(path), None, "failed", f"{error.message} {error.hint}".strip())

    def _take_in(self, path: Path, *, is_demo: bool) -> IngestedFile:
        facts = self._bench.media_tools.probe(path)
        media_id = facts.media_id
        cues, notes = self._captions(path)
        title, year = title_of(path)
        model = f"{self._transcriber.model}+{_captions_key(cues)}" if cues else self._transcriber.model
        with self._bench.database.write() as connection:
            save_media(connection, facts, is_stored=False, is_demo=is_demo)
            films = {film.path: film for film in list_films(connection)}
            known_id = find_transcript(connection, media_id, self._transcriber.engine, model)
            before = films.get(path)
            film_id = save_film(connection, path, media_id, title=title, year=year, is_demo=is_demo)
            if known_id is not None:
                set_film_transcript(connection, film_id, known_id)
        if known_id is not None and before is not None and before.media_id == media_id and before.transcript_id == known_id:
            return IngestedFile(str(path), media_id, "known", "")
        if known_id is None:
            if facts.audio is None and not cues:
                is_known = before is not None and before.media_id == media_id and before.transcript_id is None
                why = f"It has no sound and no captions: no word can be found in it.{_pictures_only(facts)}"
                return IngestedFile(str(path), media_id, "known" if is_known else "ingested", " ".join((*notes, why)))
            recognition = self._transcriber.transcribe(path, language="en", known_cues=cues)
            transcript = as_transcript(media_id, replace(recognition, model=model))
            with self._bench.database.write() as connection:
                save_transcript(connection, transcript)
                set_film_transcript(connection, film_id, transcript.transcript_id)
            if not transcript.words:
                why = f"No captions beside it or in it, and no recogniser: no word can be found in it.{_pictures_only(facts)}"
                notes = (*notes, why)
        return IngestedFile(str(path), media_id, "ingested", " ".join(notes))

    def take_in_known(self, path: Path, title: str, year: int, transcript: Transcript) -> IngestedFile:
        """Take a demo film in whose transcript is known; nothing is recognised. Raises: MediaError."""
        facts = self._bench.media_tools.probe(path)
        with self._bench.database.write() as connection:
            save_media(connection, facts, is_stored=False, is_demo=True)
            film_id = save_film(connection, path, facts.media_id, title=title, year=year, is_demo=True)
            save_transcript(connection, transcript)
            set_film_transcript(connection, film_id, transcript.transcript_id)
        return IngestedFile(str(path), facts.media_id, "ingested", "")

    def _captions(self, path: Path) -> tuple[tuple[Cue, ...], tuple[str, ...]]:
        """Captions beside the film, else the first text subtitles in it; what could not be read of them."""
        problems: list[str] = []
        for sidecar in caption_files(path):
            try:
                cues, faults = parse_captions(_caption_bytes(sidecar), sidecar.name)
            except InvalidInput as error:
                cues, faults = (), (error.message,)
            problems += faults
            if cues:
                return spoken_cues(cues), tuple(problems)
        return spoken_cues(self._bench.media_tools.embedded_captions(path)), tuple(problems)


def _caption_bytes(path: Path) -> bytes:
    """Raises: InvalidInput for what cannot be read, is no plain file (a pipe would never end), or is too large for captions."""
    try:
        if not path.is_file():
            raise InvalidInput(f"{path.name} is no plain file; it was not read.")
        with path.open("rb") as file:
            data = file.read(MAX_CAPTION_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(data) > MAX_CAPTION_BYTES:
        raise InvalidInput(f"{path.name} is larger than {MAX_CAPTION_BYTES:,} bytes, which captions of a film are not; it was not read.")
    return data


def _pictures_only(facts: MediaFacts) -> str:
    """What to do about subtitles that hold no text; empty where there are none such."""
    is_so = facts.subtitles and not any(stream.is_text for stream in facts.subtitles)
    return " Its subtitles are pictures, which are not read: put an SRT or VTT file beside it." if is_so else ""


def _shown(name: str) -> str:
    """A file's name as it can be stored: what is not UTF-8 in it becomes an escape."""
    return name.encode("utf-8", "backslashreplace").decode()


def caption_files(path: Path) -> list[Path]:
    """`film.srt`, `film.en.vtt` … beside `film.mp4`; the plain name first, English before others."""
    if not path.parent.is_dir():
        return []
    found = [
        other
        for other in path.parent.iterdir()
        if other.suffix.lower() in CAPTION_SUFFIXES and (other.stem == path.stem or other.stem.startswith(f"{path.stem}."))
    ]
    return sorted(found, key=lambda other: (other.stem != path.stem, ".en" not in other.stem.lower(), other.name))


def title_of(path: Path) -> tuple[str, int | None]:
    """Title and year as the file's name tells them: `Harbour.Point.(1994).mp4` → (`Harbour Point`, 1994)."""
    stem = re.sub(r"[._]+", " ", path.stem).strip()
    match = re.search(r"[\s(\[]*((?:19|20)\d{2})[)\]]?", stem)
    if match and match.start() > 0:
        return stem[: match.start()].strip() or stem, int(match[1])
    return stem or path.name, None


def _captions_key(cues: tuple[Cue, ...]) -> str:
    return digest([[cue.start_s, cue.end_s, cue.text] for cue in cues])[:12]
