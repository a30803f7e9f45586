# Short names for what is done often; `just --list` shows them. Each works without just, too.

python := if path_exists(".venv/bin/python") == "true" { ".venv/bin/python" } else { "python3" }

# Install everything that the app, the tests and the linters need
setup:
    python3 run.py setup
    {{python}} -m pip install -q -r requirements-dev.txt

# Every check and every test; with arguments, pytest alone
test *arguments:
    python3 run.py test {{arguments}}

# Style, types, direction of imports
lint:
    {{python}} -m ruff check .
    {{python}} -m mypy
    {{python}} -c "from importlinter.cli import lint_imports_command as run; run()"

# Mend what ruff can mend
fix:
    {{python}} -m ruff check --fix .
    {{python}} -m ruff format .

# The app on a workspace of its own, with demo clips
demo:
    WORDREEL_HOME=data/workspace/demo python3 run.py

# One figure, side by side with its peer: alignment, choose, desk, discovery, export, match or recognition
bench name *arguments:
    {{python}} -m benchmarks.{{name}} {{arguments}}

# What is installed, and what to fix
check:
    python3 run.py doctor
