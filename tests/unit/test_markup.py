"""What `el` makes: no text and no attribute ever becomes markup."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.parts.markup import el, join, link, table


@given(st.text())
def test_any_text_is_text(text):
    from html import unescape

    made = el("span", text, title=text)
    inside = made[made.index(">") + 1 : -len("</span>")]
    assert "<" not in inside
    assert unescape(inside) == unescape(unescape(inside)) or "&" in text
    assert made.count("<") == 2


def test_markup_inside_markup_is_kept_and_text_beside_it_escaped():
    assert join([el("b", "a<b"), "<i>"]) == "<b>a&lt;b</b>&lt;i&gt;"


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "//evil.example/x", "https://evil.example", "/\\evil.example", "data:text/html,x"]
)
def test_an_address_elsewhere_is_refused(address):
    with pytest.raises(ValueError):
        el("a", "x", href=address)


def test_a_link_carries_its_query_as_data():
    assert link("x", "/coverage", word='a&b="<').startswith('<a href="/coverage?word=a%26b%3D%22%3C"')


def test_a_table_escapes_heads_and_cells():
    made = table([("<h>", "num")], [["<c>"]], label="<l>")
    assert "<h>" not in made
    assert "<c>" not in made
    assert 'aria-label="&lt;l&gt;"' in made
