"""The desk's pure JavaScript under `node --test`, and the way its files become one module."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from ui.components.desk import HERE, MODULES, DeskData, joined_javascript

TESTS = sorted(Path(__file__).parent.glob("*.test.mjs"))
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="node is not installed; the desk's pure functions are tested with `node --test`")
def test_the_pure_parts_do_what_they_say() -> None:
    outcome = subprocess.run([str(NODE), "--test", *map(str, TESTS)], capture_output=True, text=True, timeout=60, check=False)
    assert outcome.returncode == 0, outcome.stdout[-4000:]


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_the_joined_module_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "desk.mjs"
    path.write_text(joined_javascript(), encoding="utf-8")
    subprocess.run([str(NODE), "--check", str(path)], check=True, timeout=30)


def test_every_file_is_joined_once_after_what_it_imports() -> None:
    assert {path.name for path in HERE.glob("*.js")} == {*MODULES, "contract.js"}
    for place, name in enumerate(MODULES):
        wanted = re.findall(r'from "\./(\w+\.js)"', (HERE / name).read_text(encoding="utf-8"))
        assert set(wanted) <= set(MODULES[:place]), name


def test_one_name_means_one_thing_in_the_joined_module() -> None:
    names = re.findall(r"^(?:async )?(?:function|class|const|let) (\w+)", joined_javascript(), re.MULTILINE)
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_one_default_export_and_no_import_is_left() -> None:
    text = joined_javascript()
    assert len(re.findall(r"^export ", text, re.MULTILINE)) == 1
    assert "export default function mount(" in text
    assert not re.search(r"^import ", text, re.MULTILINE)


def test_what_the_page_tells_the_desk() -> None:
    data = DeskData(has_decided=True, filters={"bundle": "toefl_beginner"}, links={"coverage": "/coverage"})
    assert data.as_json() == {
        "api_base": "/api",
        "has_decided": True,
        "filters": {"bundle": "toefl_beginner"},
        "links": {"coverage": "/coverage"},
    }
