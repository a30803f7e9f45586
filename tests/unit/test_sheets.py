"""A cell that looks like a formula is neutral in CSV, and the same text when read back."""

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from core.rules.sheets import FORMULA_STARTS, neutral_cell, plain_cell, write_csv

TEXTS = st.text(alphabet=st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00")) | st.sampled_from(
    ["=1+1", "+1", "-1", "@a", "\tx", "\rx", "'=1", "''", ""]
)


@given(TEXTS)
def test_no_cell_begins_like_a_formula_and_it_reads_back(text: str) -> None:
    cell = str(neutral_cell(text))
    assert not cell.startswith(FORMULA_STARTS)
    assert plain_cell(cell) == text


@given(st.lists(st.tuples(TEXTS, st.integers()), max_size=5))
def test_a_table_reads_back_as_it_was(rows: list[tuple[str, int]]) -> None:
    found = list(csv.reader(io.StringIO(write_csv(("word", "n"), rows), newline="")))
    assert [(plain_cell(word), int(n)) for word, n in found[1:]] == rows
