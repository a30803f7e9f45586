"""The links: their JavaScript under `node --test`, and that nothing else changes the page."""

import shutil
import subprocess
from pathlib import Path

import pytest

from core.config import ROOT_PATH


def test_links_of_pages_are_followed_and_others_left_alone():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here; the journey in Chromium follows links too")
    done = subprocess.run([node, "--test", str(Path(__file__).with_name("ways.test.mjs"))], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_the_bare_address_is_led_on_by_the_server():
    """A page that runs timers and is left by `st.switch_page` can leave the next one blank; see `ui/parts/ways.py`."""
    sources = {path.name: path.read_text(encoding="utf-8").split('"""', 2)[-1] for path in (ROOT_PATH / "ui").rglob("*.py")}
    assert [name for name, source in sources.items() if "st.switch_page" in source] == ["menu.py"]
