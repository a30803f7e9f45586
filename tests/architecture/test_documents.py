"""What the documents promise is there, and what is there is documented."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from core.config import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
WORDS = (
    "vocabulary word", "bundle", "source", "media", "scene", "transcript", "word timing", "segment", "cue", "clip", "mapping", "proposal",
    "evidence", "decision", "claim", "run", "coverage", "want", "export batch", "compilation",
)  # fmt: skip


def table(path: Path, heading: str) -> dict[str, list[str]]:
    """First cell → the cells of each row of the first table under a heading."""
    after = path.read_text(encoding="utf-8").split(f"{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in after.splitlines() if line.startswith("|")]
    return {row[0]: row for row in rows[2:]}


def test_the_glossary_has_every_word():
    rows = table(ROOT / "docs/glossary.md", "# Glossary")
    assert [word for word in WORDS if word not in rows] == []
    assert all(len(rows[word][1]) > 10 for word in WORDS)


def test_no_class_of_the_model_uses_a_word_that_the_glossary_refuses():
    refused = {"term", "asset", "shot", "chunk", "snippet", "tag", "link", "job", "dump"}  # the others have another honest use
    rows = table(ROOT / "docs/glossary.md", "# Glossary")
    assert refused <= {word.strip() for row in rows.values() for word in row[2].split(",")}
    trees = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in (ROOT / "core/model").glob("*.py")]
    names = [(path.name, node.name) for path, tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert names
    assert [(file, name) for file, name in names if {part.lower() for part in re.findall(r"[A-Z][a-z0-9]+", name)} & refused] == []


def test_every_setting_is_in_the_readme():
    rows = table(ROOT / "README.md", "## Settings")
    documented = {name.strip("`") for name in rows}
    assert set(VARIABLES) - documented == set()
    assert documented - set(VARIABLES) == {"WORDREEL_VENV"}, "the launcher's own setting is the only one that core does not read"


def commands() -> list[str]:
    """Every command, those of groups as `group command`."""
    import typer.main

    from ui.cli.main import app

    found = []
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found += [f"{name} {inner}" for inner in below] if below else [name]
    return found


def test_every_command_is_in_the_readme_and_in_the_usage_before_set_up():
    import run

    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## Commands", 1)[1].split("\n## ", 1)[0]
    said = set(re.findall(r"[a-z][a-z-]+", text))
    assert [name for name in commands() if set(name.split()) - said] == []
    assert [name for name in commands() if name.split()[0] not in run.USAGE] == []


def test_every_theme_setting_is_known_to_streamlit():
    from streamlit import config

    settings = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
    known = set(config._config_options_template)

    def names(part: dict, prefix: str):
        for key, value in part.items():
            if isinstance(value, dict):
                yield from names(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    assert [name for name in names(settings, "") if name not in known] == []


def test_every_font_file_of_the_theme_is_shipped_with_its_licence():
    settings = tomllib.loads((ROOT / ".streamlit/config.toml").read_text(encoding="utf-8"))
    for face in settings["theme"]["fontFaces"]:
        path = ROOT / "ui/static" / face["url"].removeprefix("app/static/")
        assert path.read_bytes()[:4] == b"wOF2", path
    assert (ROOT / "ui/static/inter-LICENSE.txt").is_file()
    assert (ROOT / "ui/static/jetbrains-mono-LICENSE.txt").is_file()


def test_every_fault_of_a_run_has_its_tests_and_they_are_there():
    text = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    sections = {title.partition(" ")[0]: body for title, body in re.findall(r"^## (.+)\n([^#]*)", text, re.MULTILINE)}
    assert {number for number in sections if number.isdecimal()} == {str(n) for n in (*range(1, 7), *range(13, 25), 39)}
    named = {number: re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", body) for number, body in sections.items()}
    assert [number for number, tests in named.items() if not any(path.startswith("tests/faults/") for path, _ in tests)] == []
    sources = {path: (ROOT / path).read_text(encoding="utf-8") for tests in named.values() for path, _ in tests}
    assert [test for tests in named.values() for path, test in tests if f"def {test}(" not in sources[path]] == []


def test_decisions_are_numbered_once_and_say_what_would_change_our_mind():
    paths = [path for path in (ROOT / "docs/decisions").glob("*.md") if path.name != "template.md"]
    numbers = [path.name[:4] for path in paths]
    assert sorted(set(numbers)) == sorted(numbers)
    assert all(re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", path.name) for path in paths)
    assert [path.name for path in paths if "would change our mind" not in path.read_text(encoding="utf-8")] == []


@pytest.mark.parametrize("name", ["requirements-desk.txt", "requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned(name: str):
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if line and not re.match(r"-r requirements-desk\.txt$|[a-zA-Z0-9._-]+==[\w.+!-]+( ; .+)?$", line)] == []


def test_what_the_project_was_given_is_named():
    text = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("requirements-desk.txt", "requirements.txt"))
    given = (
        "duckdb", "lancedb", "openai", "faster-whisper", "open-clip-torch", "torch", "moviepy", "av", "pandas", "plotly", "sqlite-utils",
        "streamlit", "gradio", "dbos",
    )  # fmt: skip
    assert [name for name in given if not re.search(rf"^{name}==", text, re.MULTILINE)] == []
