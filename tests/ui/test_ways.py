"""The JavaScript of the links, under `node --test`."""

import shutil
import subprocess
from pathlib import Path

import pytest


def test_links_of_pages_are_followed_and_others_left_alone():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here; the journey in Chromium follows links too")
    done = subprocess.run([node, "--test", str(Path(__file__).with_name("ways.test.mjs"))], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
