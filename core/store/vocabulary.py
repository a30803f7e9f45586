"""Words, exam lists and bundles in the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select

from core.model.vocabulary import DEMO_PREFIX, Bundle, Level, VocabularyWord
from core.rules.word_keys import word_key
from core.store.dialects import insert_new
from core.store.tables import bundle_words, bundles, word_levels, words
from core.timing import now

LEVELS = tuple(Level)


def is_demo_name(name: str) -> bool:
    """Whether an exam or a bundle of this name is demo."""
    return name.startswith(DEMO_PREFIX)


def save_words(connection: Connection, texts: Mapping[str, tuple[str, str]], *, language: str, is_demo: bool) -> dict[str, int]:
    """Make sure that the words exist; a known word keeps its text, and takes the part of speech and definition that the list has.

    Args:
        texts: word → (pos, definition).

    Returns:
        word key → word id.
    """
    rows: list[dict[str, Any]] = [
        {
            "text": text,
            "key": word_key(text),
            "language": language,
            "pos": pos,
            "definition": definition,
            "is_demo": is_demo,
            "created_at": now(),
        }
        for text, (pos, definition) in texts.items()
    ]
    insert_new(connection, words, rows, on=("key", "language", "is_demo"))
    found: dict[str, int] = {}
    for known in connection.execute(select(words).where(words.c.language == language, words.c.is_demo == is_demo)):
        found[known.key] = known.word_id
    for row in rows:
        if row["pos"] or row["definition"]:
            change = {name: row[name] for name in ("pos", "definition") if row[name]}
            connection.execute(words.update().where(words.c.word_id == found[row["key"]]).values(**change))
    return found


def replace_exam(connection: Connection, exam: str, ranked: Sequence[tuple[int, str]]) -> None:
    """Make `ranked` (word id, level) the whole list of the exam, and write its level bundles, cumulatively."""
    is_demo = is_demo_name(exam)
    connection.execute(delete(word_levels).where(word_levels.c.exam == exam))
    connection.execute(
        word_levels.insert(),
        [{"exam": exam, "word_id": word_id, "level": level, "rank": rank} for rank, (word_id, level) in enumerate(ranked)],
    )
    members: dict[str, list[int]] = {}
    if any(level for _, level in ranked):
        for position, level in enumerate(LEVELS):
            held = set(LEVELS[: position + 1])
            members[f"{exam}_{level}"] = [word_id for word_id, at in ranked if at in held]
        unlevelled = [word_id for word_id, level in ranked if not level]
        members[f"{exam}_{Level.ADVANCED}"] += unlevelled
    else:
        members[exam] = [word_id for word_id, _ in ranked]
    stale = set(connection.execute(select(bundles.c.name).where(bundles.c.exam == exam)).scalars()) - set(members)
    for name in stale:
        connection.execute(delete(bundle_words).where(bundle_words.c.bundle == name))
        connection.execute(delete(bundles).where(bundles.c.name == name))
    for name, word_ids in members.items():
        level_name = name.removeprefix(f"{exam}_") if name != exam else ""
        save_bundle(connection, name, word_ids, exam=exam, level=level_name, is_demo=is_demo)


def save_bundle(
    connection: Connection, name: str, word_ids: Iterable[int], *, exam: str = "", level: str = "", is_demo: bool = False
) -> None:
    """Make `word_ids` the whole bundle, most useful first."""
    insert_new(connection, bundles, [{"name": name, "exam": exam, "level": level, "is_demo": is_demo, "created_at": now()}], on=("name",))
    connection.execute(delete(bundle_words).where(bundle_words.c.bundle == name))
    rows = [{"bundle": name, "word_id": word_id, "rank": rank} for rank, word_id in enumerate(dict.fromkeys(word_ids))]
    if rows:
        connection.execute(bundle_words.insert(), rows)


def add_to_bundle(connection: Connection, name: str, word_ids: Iterable[int]) -> None:
    """Add words to an own bundle, after those it holds; make the bundle where it is missing."""
    held = bundle_word_ids(connection, name)
    save_bundle(connection, name, [*held, *word_ids], is_demo=is_demo_name(name))


def bundle_word_ids(connection: Connection, name: str) -> list[int]:
    """The words of a bundle, most useful first; an unknown bundle is empty."""
    return list(
        connection.execute(select(bundle_words.c.word_id).where(bundle_words.c.bundle == name).order_by(bundle_words.c.rank)).scalars()
    )


def list_bundles(connection: Connection) -> list[Bundle]:
    """Every bundle with its size: real ones first, exams by level, then own ones."""
    counted = (
        select(bundles, func.count(bundle_words.c.word_id).label("n_words"))
        .join(bundle_words, bundle_words.c.bundle == bundles.c.name, isouter=True)
        .group_by(*bundles.c)
    )
    found = [Bundle(row.name, row.n_words, row.exam, row.level, row.is_demo) for row in connection.execute(counted)]
    order = {level.value: place for place, level in enumerate(LEVELS)}
    return sorted(found, key=lambda bundle: (bundle.is_demo, not bundle.exam, bundle.exam, order.get(bundle.level, 9), bundle.name))


def exam_levels(connection: Connection, exam: str) -> dict[int, str]:
    """Word id → level of the exam's present list."""
    return {row.word_id: row.level for row in connection.execute(select(word_levels).where(word_levels.c.exam == exam))}


def load_words(connection: Connection, word_ids: Iterable[int] | None = None, *, is_demo: bool | None = None) -> list[VocabularyWord]:
    """The named words, or all (of the demo, or all but the demo's)."""
    query = select(words).order_by(words.c.word_id)
    if word_ids is not None:
        wanted = list(word_ids)
        query = query.where(words.c.word_id.in_(wanted)) if len(wanted) < 500 else query
    if is_demo is not None:
        query = query.where(words.c.is_demo == is_demo)
    keep = None if word_ids is None else set(wanted)
    return [
        VocabularyWord(row.word_id, row.text, row.language, row.pos, row.definition)
        for row in connection.execute(query)
        if keep is None or row.word_id in keep
    ]


def word_ids_by_key(connection: Connection, texts: Iterable[str], *, is_demo: bool = False) -> dict[str, int]:
    """Word key → id, for those of the texts that are known."""
    keys = {word_key(text) for text in texts}
    query = select(words.c.key, words.c.word_id).where(words.c.is_demo == is_demo)
    if len(keys) < 500:
        query = query.where(words.c.key.in_(keys))
    return {row.key: row.word_id for row in connection.execute(query) if row.key in keys}


def levels_of_words(connection: Connection, *, is_demo: bool) -> dict[str, str]:
    """Word key → its lowest level on any exam, for every levelled word of the workspace."""
    order = {level.value: place for place, level in enumerate(LEVELS)}
    found: dict[str, str] = {}
    query = (
        select(words.c.key, word_levels.c.level)
        .join(word_levels, word_levels.c.word_id == words.c.word_id)
        .where(words.c.is_demo == is_demo)
    )
    for row in connection.execute(query):
        if row.level and (row.key not in found or order[row.level] < order[found[row.key]]):
            found[row.key] = row.level
    return found


def bundles_of_words(connection: Connection, word_ids: Sequence[int]) -> dict[int, list[tuple[str, str, str]]]:
    """Word id → (bundle, exam, level) of the smallest bundle of each exam that holds it, and of own bundles."""
    if not word_ids:
        return {}
    found: dict[int, list[tuple[str, str, str]]] = {word_id: [] for word_id in word_ids}
    levelled = select(word_levels).where(word_levels.c.word_id.in_(word_ids)).order_by(word_levels.c.exam.desc())
    for row in connection.execute(levelled):
        found[row.word_id].append((f"{row.exam}_{row.level}" if row.level else row.exam, row.exam, row.level))
    own = (
        select(bundle_words.c.word_id, bundles.c.name)
        .join(bundles, bundles.c.name == bundle_words.c.bundle)
        .where(bundle_words.c.word_id.in_(word_ids), bundles.c.exam == "")
        .order_by(bundles.c.name)
    )
    for row in connection.execute(own):
        found[row.word_id].append((row.name, "", ""))
    return found
