"""A module that can be read at one sitting, a function that fits a screen, a file named for what it holds."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_MODULE_LINES = 500
MAX_FUNCTION_LINES = 80
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}


def tracked(*patterns: str) -> list[Path]:
    """The files of the repository, those not yet committed too; what git ignores left out."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:  # an unpacked archive has no git
        skipped = {".venv", "node_modules", "workspace"}
        return [path for pattern in patterns for path in ROOT.rglob(pattern) if not skipped & set(path.parts)]
    return [ROOT / line for line in result.stdout.splitlines() if (ROOT / line).is_file()]


def product_modules() -> list[Path]:
    return [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] in ("core", "ui", "launcher", "run.py")]


def test_there_is_something_to_measure():
    assert len(product_modules()) > 10


def test_no_module_is_too_long():
    long = {}
    for path in product_modules():
        if "versions" in path.parts:  # a migration is a record, not read at one sitting
            continue
        n_lines = len(path.read_text(encoding="utf-8").splitlines())
        if n_lines > MAX_MODULE_LINES:
            long[str(path.relative_to(ROOT))] = n_lines
    assert not long


def test_no_function_is_too_long():
    long = {}
    for path in product_modules():
        if "versions" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                n_lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if n_lines > MAX_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = n_lines
    assert not long


def test_no_file_has_a_vague_name():
    vague = [str(path.relative_to(ROOT)) for path in tracked("*") if {path.stem.lower(), *path.relative_to(ROOT).parts[:-1]} & VAGUE_NAMES]
    assert not vague


def test_no_folder_is_called_pages():
    """Streamlit would take it for pages of its own."""
    assert not [path for path in tracked("*") if "pages" in path.relative_to(ROOT).parts[:-1]]


def test_every_core_module_has_a_docstring():
    bare = [str(path.relative_to(ROOT)) for path in product_modules() if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert not [path for path in bare if not path.endswith("__init__.py")]
