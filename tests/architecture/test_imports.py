"""Imports go one way, and heavy libraries wait until they are used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "av", "numpy", "PIL", "pocketsphinx", "faster_whisper", "ctranslate2", "onnxruntime", "torch", "open_clip", "sentence_transformers",
    "dbos", "psycopg", "duckdb", "lancedb", "pyarrow", "pandas", "plotly", "moviepy", "openai", "lemminflect", "simplemma", "sqlite_utils",
    "streamlit", "gradio", "fastapi", "starlette", "uvicorn", "pysubs2", "fsspec", "espeakng_loader", "huggingface_hub",
}  # fmt: skip


def modules_after(code: str) -> set[str]:
    """The top names in sys.modules of a fresh interpreter that ran `code`."""
    script = f"import sys, json\n{code}\nsys.__stdout__.write('\\n' + json.dumps(sorted({{n.partition('.')[0] for n in sys.modules}})))"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environ, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout.splitlines()[-1]))


def core_modules() -> list[str]:
    """Every module of core but the migrations, which only Alembic runs."""
    paths = (path for path in (ROOT / "core").rglob("*.py") if "migrations" not in path.parts)
    return sorted(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths)


def test_the_contracts_of_importlinter_hold():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


def test_importing_all_of_core_loads_nothing_heavy():
    loaded = modules_after("import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in core_modules()))
    assert not loaded & HEAVY


def test_the_help_of_the_commands_loads_nothing_heavy():
    code = (
        "sys.argv = ['run.py', '--help']\nfrom ui.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code"
    )
    assert not modules_after(code) & (HEAVY | {"sqlalchemy", "alembic"})


def test_the_launcher_needs_the_standard_library_only():
    code = "import run, launcher.checks, launcher.installation"
    outside = modules_after(code) - set(sys.stdlib_module_names) - {"run", "launcher", "__main__"}
    before = modules_after("")  # what site-packages' own .pth files load
    assert not outside - before


@pytest.mark.parametrize("name", ["model", "rules", "store", "adapters", "pipeline", "services"])
def test_each_layer_of_the_contract_is_there(name: str):
    assert (ROOT / "core" / name / "__init__.py").is_file()
