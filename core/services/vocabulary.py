"""Vocabulary: importing lists, bundles, and what of them is known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from core.errors import InvalidInput, NotFound
from core.model.vocabulary import DEMO_PREFIX, Bundle, ChangedRow, Level, ListedWord, ParsedList, RefusedRow, VocabularyWord
from core.rules.word_keys import word_key
from core.rules.word_lists import parse_word_list
from core.store import vocabulary as rows
from core.store.database import Database

NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,79}")


@dataclass(frozen=True, slots=True)
class ListDifference:
    """What an import changes in its exam's list."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    """Words that leave the list; they and every decision on them stay in the workspace."""
    moved: tuple[tuple[str, str, str], ...]
    """(word, level before, level after)."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did, row by row."""

    exam: str
    accepted: int
    duplicates: int
    changed: tuple[ChangedRow, ...]
    refused: tuple[RefusedRow, ...]
    bundles: Mapping[str, int]
    difference: ListDifference
    is_applied: bool

    def as_json(self) -> dict[str, Any]:
        """The answer of `vocab import --json`; that of a dry run also counts what would change."""
        found: dict[str, Any] = {
            "exam": self.exam,
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "changed": [{"line": row.line, "from": row.before, "to": row.after} for row in self.changed],
            "refused": [{"line": row.line, "text": row.text, "reason": row.reason} for row in self.refused],
            "bundles": dict(self.bundles),
        }
        if not self.is_applied:
            changes = self.difference
            found["difference"] = {"added": len(changes.added), "removed": len(changes.removed), "moved": len(changes.moved)}
        return found


class _Undone(Exception):
    """Rolls back what a dry run wrote."""


class Vocabulary:
    """Imports lists and names bundles."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def import_list(
        self, data: bytes, *, exam: str, level: Level | None = None, file_name: str = "", is_dry_run: bool = False
    ) -> ImportReport:
        """Make the file the exam's whole list; decisions on words that leave it are kept.

        Raises: InvalidInput when the name or the file cannot be used at all.
        """
        exam = checked_name(exam)
        parsed = parse_word_list(data, exam=exam, level=level, file_name=file_name)
        if not parsed.words:
            raise InvalidInput(
                f"{file_name or 'The list'} has no row that can be taken; {len(parsed.refused)} were refused.", hint=_first_refusals(parsed)
            )
        exams = {exam} | {name for word in parsed.words for name in word.levels}
        with self._database.read() as connection:
            _refuse_taken_names(rows.list_bundles(connection), parsed, exam, exams)
            difference = self._difference(rows.exam_levels(connection, exam), rows.load_words(connection), parsed, exam)
        bundles: dict[str, int] = {}
        with suppress(_Undone), self._database.write() as connection:
            bundles = _apply(connection, parsed, exam, exams)
            if is_dry_run:
                raise _Undone
        return ImportReport(exam, len(parsed.words), parsed.duplicates, parsed.changed, parsed.refused, bundles, difference, not is_dry_run)

    def bundles(self) -> list[Bundle]:
        """Every bundle, real ones first."""
        with self._database.read() as connection:
            return rows.list_bundles(connection)

    def bundle_words(self, name: str) -> list[VocabularyWord]:
        """The words of a bundle, most useful first. Raises: NotFound."""
        with self._database.read() as connection:
            known = [bundle.name for bundle in rows.list_bundles(connection)]
            if name not in known:
                raise NotFound(f"There is no bundle {name!r}.", hint=f"There are: {', '.join(known) or 'none yet; import a list first'}.")
            order = rows.bundle_word_ids(connection, name)
            found = {word.word_id: word for word in rows.load_words(connection, order)}
        return [found[word_id] for word_id in order]

    def add_words(
        self, texts: Sequence[str], *, bundle: str, definitions: Mapping[str, tuple[str, str]] | None = None
    ) -> list[VocabularyWord]:
        """Add typed words or a file's words to an own bundle; words that an exam's bundle of that name holds are only named.

        Raises: InvalidInput for a word that is not on the exam's list.
        """
        name = checked_name(bundle)
        given = definitions or {}
        with self._database.write() as connection:
            if any(known.name == name and known.exam for known in rows.list_bundles(connection)):
                return _words_held(connection, name, texts)
            ids = rows.save_words(
                connection, {text: given.get(text, ("", "")) for text in texts}, language="en", is_demo=rows.is_demo_name(name)
            )
            wanted = [ids[word_key(text)] for text in texts]
            rows.add_to_bundle(connection, name, wanted)
            found = {word.word_id: word for word in rows.load_words(connection, wanted)}
        return [found[word_id] for word_id in dict.fromkeys(wanted)]

    def parse_file(self, data: bytes, *, file_name: str) -> ParsedList:
        """Read a file of words for a run, without importing it. Raises: InvalidInput."""
        return parse_word_list(data, exam=name_from(file_name), level=None, file_name=file_name)

    @staticmethod
    def _difference(before: Mapping[int, str], words: Sequence[VocabularyWord], parsed: ParsedList, exam: str) -> ListDifference:
        texts = {word.word_id: word.text for word in words}
        old = {word_key(texts[word_id]): (texts[word_id], level) for word_id, level in before.items() if word_id in texts}
        new = {word_key(word.text): (word.text, str(word.levels.get(exam, ""))) for word in _listed(parsed, exam, exam)}
        if not new:  # the file says nothing of this exam, whose list stays
            return ListDifference((), (), ())
        return ListDifference(
            added=tuple(text for key, (text, _) in new.items() if key not in old),
            removed=tuple(text for key, (text, _) in old.items() if key not in new),
            moved=tuple((text, old[key][1], level) for key, (text, level) in new.items() if key in old and old[key][1] != level),
        )


def checked_name(text: str) -> str:
    """The name of an exam or bundle in the form in which it is stored. Raises: InvalidInput."""
    name = re.sub(r"[\s\-]+", "_", text.strip().lower())
    if not NAME.fullmatch(name):
        raise InvalidInput(f"{text!r} cannot name an exam or a bundle.", hint="Use letters a–z, figures and _, at most 80.")
    return name


def refuse_demo_name(name: str) -> None:
    """Raises: InvalidInput for a name that would make a person's own words demo: looked for in its films alone, and gone with it."""
    if name == DEMO_PREFIX.rstrip("_") or rows.is_demo_name(name):
        raise InvalidInput(f"{name}: such names are the demo's own, which is made by the app alone.", hint="Choose another name.")


def name_from(file_name: str) -> str:
    """A bundle's name from a file's: `Unit 12 words.csv` → `unit_12_words`."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", file_name.replace("\\", "/").rsplit("/", 1)[-1])
    return re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")[:80] or "words"


def _words_held(connection: Connection, bundle: str, texts: Sequence[str]) -> list[VocabularyWord]:
    """These words of an exam's bundle. Raises: InvalidInput where it does not hold all of them."""
    held = {word_key(word.text): word for word in rows.load_words(connection, rows.bundle_word_ids(connection, bundle))}
    keys = list(dict.fromkeys(word_key(text) for text in texts))
    missing = [key for key in keys if key not in held]
    if missing:
        raise InvalidInput(
            f"{bundle} is a level of an exam; its words come from the exam's list, which lacks {missing[0]!r}.",
            hint="Choose another name, or import the list again.",
        )
    return [held[key] for key in keys]


def _listed(parsed: ParsedList, name: str, exam: str) -> list[ListedWord]:
    """The words that stand on the list of the exam `name`; a word that says nothing else stands on that of the import."""
    return [word for word in parsed.words if name in word.levels or (name == exam and not word.levels and not word.bundles)]


def _refuse_taken_names(known: Sequence[Bundle], parsed: ParsedList, exam: str, exams: set[str]) -> None:
    """Raises: InvalidInput where a bundle would take the place of another's: an own one of an exam's level, or the other way."""
    levels = {bundle: name for name in exams for bundle in _level_bundles(name, _listed(parsed, name, exam))}
    own = {bundle: "" for word in parsed.words for bundle in word.bundles}
    for bundle in known:
        wanted = own.get(bundle.name, levels.get(bundle.name))
        if wanted is not None and wanted != bundle.exam:
            what = f"a level of {bundle.exam}" if bundle.exam else "a bundle of your own"
            raise InvalidInput(f"{bundle.name} is {what} already.", hint="Give the exam, or the column of the file, another name.")


def _level_bundles(exam: str, listed: Sequence[ListedWord]) -> list[str]:
    """The bundles that this list of an exam makes: one a level, or one for a list without levels."""
    return [f"{exam}_{level}" for level in Level] if any(exam in word.levels for word in listed) else [exam]


def _texts(listed: Sequence[ListedWord]) -> dict[str, tuple[str, str]]:
    return {word.text: (word.pos, word.definition) for word in listed}


def _first_refusals(parsed: ParsedList) -> str:
    return "; ".join(f"line {row.line}: {row.reason}" for row in parsed.refused[:3])


def _apply(connection: Connection, parsed: ParsedList, exam: str, exams: set[str]) -> dict[str, int]:
    """Store the lists of these exams and the file's own bundles. Returns: bundle → number of its words."""
    own = {bundle for word in parsed.words for bundle in word.bundles}
    for name in sorted(exams):
        listed = _listed(parsed, name, exam)
        ids = rows.save_words(connection, _texts(listed), language="en", is_demo=rows.is_demo_name(name))
        if listed:
            rows.replace_exam(connection, name, [(ids[word_key(word.text)], str(word.levels.get(name, ""))) for word in listed])
    for name in sorted(own):
        listed = [word for word in parsed.words if name in word.bundles]
        ids = rows.save_words(connection, _texts(listed), language="en", is_demo=rows.is_demo_name(name))
        rows.save_bundle(connection, name, [ids[word_key(word.text)] for word in listed], is_demo=rows.is_demo_name(name))
    return {bundle.name: bundle.n_words for bundle in rows.list_bundles(connection) if bundle.exam in exams or bundle.name in own}
