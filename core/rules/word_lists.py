"""A word list file → its words, and every row that was changed or refused.

Formats: `word` a row; `word,level`; a CEFR column (`headword,pos,CEFR,…`); a column a bundle (`word,toefl_beginner,…`, 0 or 1).
With or without a header. CEFR levels map two to one: A1, A2 → beginner; B1, B2 → intermediate; C1, C2 → advanced.

Rows without a header: a second cell that is a level is its level; other cells are not read, and the row is reported as changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.errors import InvalidInput
from core.model.vocabulary import ChangedRow, Level, ListedWord, ParsedList, RefusedRow
from core.rules.word_cells import LONGEST_DEFINITION, clean_word, fault_of_row, fault_of_word, shown
from core.rules.word_files import Row, decode, read_rows
from core.rules.word_keys import plain_text, word_key

LEVELS: dict[str, Level] = {
    "beginner": Level.BEGINNER, "a1": Level.BEGINNER, "a2": Level.BEGINNER,
    "intermediate": Level.INTERMEDIATE, "b1": Level.INTERMEDIATE, "b2": Level.INTERMEDIATE,
    "advanced": Level.ADVANCED, "c1": Level.ADVANCED, "c2": Level.ADVANCED,
}  # fmt: skip
"""What a level cell may say → the level."""
LEVEL_ORDER = tuple(Level)
BLANK = "blank"
"""Why a row without any text is refused."""

_NAMES = {
    "word": "word", "words": "word", "headword": "word", "lemma": "word", "term": "word", "vocabulary": "word", "vocabulary_word": "word",
    "level": "level", "cefr": "level", "cefr_level": "level",
    "pos": "pos", "part_of_speech": "pos", "word_class": "pos",
    "definition": "definition", "definitions": "definition", "meaning": "definition",
    "language": "language", "learning_language": "language",
}  # fmt: skip
_LEVEL_FLAG = re.compile(r"(?:is_)?([a-z0-9]\w*?)_(beginner|intermediate|advanced)")
_YES = frozenset({"1", "1.0", "true", "t", "yes", "y", "x"})
_NO = frozenset({"", "0", "0.0", "false", "f", "no", "n"})


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which column holds what; -1 for none."""

    word: int = 0
    level: int = -1
    pos: int = -1
    definition: int = -1
    language: int = -1
    level_flags: tuple[tuple[int, str, Level], ...] = ()
    bundle_flags: tuple[tuple[int, str], ...] = ()
    has_header: bool = True


@dataclass(slots=True)
class _Entry:
    """A word while its rows are being read."""

    text: str
    line: int
    levels: dict[str, Level] = field(default_factory=dict)
    bundles: list[str] = field(default_factory=list)
    pos: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)

    def merge(self, other: _Entry) -> None:
        """Take in a later row of the same word; of two levels in one exam the lower wins."""
        for exam, level in other.levels.items():
            self.levels[exam] = _lower(self.levels.get(exam, level), level)
        for mine, theirs in ((self.bundles, other.bundles), (self.pos, other.pos), (self.definitions, other.definitions)):
            mine.extend(item for item in theirs if item not in mine)

    def as_listed(self) -> ListedWord:
        return ListedWord(
            text=self.text, line=self.line, levels=self.levels, bundles=tuple(self.bundles),
            pos=", ".join(self.pos), definition="; ".join(self.definitions),
        )  # fmt: skip


def parse_word_list(data: bytes, *, exam: str, level: Level | None, file_name: str = "") -> ParsedList:
    """Read a word list.

    Every row that is not the header ends as exactly one of a word, a duplicate or a refused row. Two rows are the same word
    when `word_key` says so; their parts of speech, definitions, levels and bundles are joined.

    Args:
        data: the file's bytes.
        exam: whose levels a level column gives, and `level` with it.
        level: the level of words to which the file gives none in `exam`.
        file_name: for messages.
    Raises: InvalidInput for a file without rows, or that is no text.
    """
    text = decode(data, file_name)
    delimiter, columns, header_line = _columns_of(text)
    entries: dict[str, _Entry] = {}
    duplicates = 0
    changed: list[ChangedRow] = []
    refused: list[RefusedRow] = []
    for row in _body(text, delimiter, header_line):
        entry, reason = _entry(row, columns, exam, level)
        if entry is None:
            refused.append(RefusedRow(row.line, shown(_cell(row, columns.word) or row.raw), reason))
            continue
        if change := _change(row, columns, entry.text):
            changed.append(change)
        key = word_key(entry.text)
        if key in entries:
            duplicates += 1
            entries[key].merge(entry)
        else:
            entries[key] = entry
    if not entries and all(row.reason == BLANK for row in refused):
        raise InvalidInput(f"{file_name or 'The word list'} has no rows.", hint="Give one word a line, or a `word` column.")
    return ParsedList(tuple(entry.as_listed() for entry in entries.values()), duplicates, tuple(changed), tuple(refused))


def _body(text: str, delimiter: str, header_line: int) -> Iterator[Row]:
    return (row for row in read_rows(text, delimiter) if row.line != header_line)


def _entry(row: Row, columns: _Columns, exam: str, level: Level | None) -> tuple[_Entry | None, str]:
    """The row's word, or None and the reason."""
    if not any(cell.strip() for cell in row.cells):
        return None, BLANK
    if reason := fault_of_row(row.raw):
        return None, reason
    word = clean_word(_cell(row, columns.word))
    if reason := _fault(row, columns, word):
        return None, reason
    entry = _Entry(text=word, line=row.line)
    if pos := plain_text(_cell(row, columns.pos)).casefold():
        entry.pos.append(pos)
    if definition := plain_text(_cell(row, columns.definition)):
        entry.definitions.append(definition)
    for index, flag_exam, flag_level in columns.level_flags:
        if _is_yes(_cell(row, index)):
            entry.levels[flag_exam] = _lower(entry.levels.get(flag_exam, flag_level), flag_level)
    entry.bundles.extend(name for index, name in columns.bundle_flags if _is_yes(_cell(row, index)))
    own_level = LEVELS.get(_level_cell(row, columns))
    if own_level is not None:
        entry.levels[exam] = _lower(entry.levels.get(exam, own_level), own_level)
    elif level is not None and exam not in entry.levels:
        entry.levels[exam] = level
    return entry, ""


def _fault(row: Row, columns: _Columns, word: str) -> str:
    if "\n" in _cell(row, columns.word).strip():
        return "a line break in the word"
    if reason := fault_of_word(word):
        return reason if _cell(row, columns.word).strip() else "no word in the word column"
    if (said := _level_cell(row, columns)) and columns.has_header and said not in LEVELS:
        return f"the level {shown(said)!r} is none of beginner, intermediate, advanced, A1 to C2"
    language = _cell(row, columns.language).strip().casefold()
    if language and language.split("-")[0] not in ("en", "english"):
        return f"the language {shown(language)!r} is not English"
    if len(_cell(row, columns.definition)) > LONGEST_DEFINITION:
        return f"a definition longer than {LONGEST_DEFINITION:,} characters"
    for index in (*(flag[0] for flag in columns.level_flags), *(flag[0] for flag in columns.bundle_flags)):
        if not _is_flag(cell := _cell(row, index)):
            return f"{shown(cell)!r} in column {index + 1} is neither 0 nor 1"
    return ""


def _change(row: Row, columns: _Columns, text: str) -> ChangedRow | None:
    cell = _cell(row, columns.word)
    unread = not columns.has_header and any(other.strip() for other in row.cells[1:])
    if unread and not (_level_cell(row, columns) in LEVELS and not any(other.strip() for other in row.cells[2:])):
        return ChangedRow(row.line, shown(row.raw), text)
    return None if cell == text else ChangedRow(row.line, shown(cell), text)


def _cell(row: Row, index: int) -> str:
    return row.cells[index] if 0 <= index < len(row.cells) else ""


def _level_cell(row: Row, columns: _Columns) -> str:
    return _cell(row, columns.level).strip().casefold()


def _lower(one: Level, other: Level) -> Level:
    return min(one, other, key=LEVEL_ORDER.index)


def _is_yes(cell: str) -> bool:
    return cell.strip().casefold() in _YES


def _is_flag(cell: str) -> bool:
    return cell.strip().casefold() in _YES or cell.strip().casefold() in _NO


def _columns_of(text: str) -> tuple[str, _Columns, int]:
    """The delimiter, the columns, and the line of the header (0 when there is none)."""
    for delimiter in (",", ";", "\t"):
        first = next((row for row in read_rows(text, delimiter) if any(cell.strip() for cell in row.cells)), None)
        if first is not None and (columns := _header(first)) is not None and (delimiter == "," or len(first.cells) > 1):
            return delimiter, _with_bundles(first, columns, text, delimiter), first.line
    return ",", _Columns(level=1, has_header=False), 0


def _header(row: Row) -> _Columns | None:
    """The columns that a header row names, or None when the row is no header."""
    names = [_column_name(cell) for cell in row.cells]
    meanings = [_NAMES.get(name, "") for name in names]
    flags = [_LEVEL_FLAG.fullmatch(name) for name in names]
    if "word" not in meanings and not (any(meanings[1:]) or any(flags[1:])):
        return None

    def at(meaning: str) -> int:
        return meanings.index(meaning) if meaning in meanings else -1

    return _Columns(
        word=max(0, at("word")), level=at("level"), pos=at("pos"), definition=at("definition"), language=at("language"),
        level_flags=tuple((index, flag[1], Level(flag[2])) for index, flag in enumerate(flags) if flag),
    )  # fmt: skip


def _with_bundles(header: Row, columns: _Columns, text: str, delimiter: str) -> _Columns:
    """`columns` with the own bundles: columns of unknown name in which every cell is 0, 1 or empty, and one is 1."""
    taken = {columns.word, columns.level, columns.pos, columns.definition, columns.language, *(flag[0] for flag in columns.level_flags)}
    names = {index: _column_name(cell).removeprefix("is_") for index, cell in enumerate(header.cells)}
    open_columns = {index: name for index, name in names.items() if index not in taken and name}
    flagged: set[int] = set()
    for row in _body(text, delimiter, header.line) if open_columns else ():
        for index in list(open_columns):
            if not _is_flag(_cell(row, index)):
                del open_columns[index]
            elif _is_yes(_cell(row, index)):
                flagged.add(index)
    bundles = tuple((index, name) for index, name in open_columns.items() if index in flagged)
    return _Columns(columns.word, columns.level, columns.pos, columns.definition, columns.language, columns.level_flags, bundles)


def _column_name(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", plain_text(cell).strip('"').casefold())
