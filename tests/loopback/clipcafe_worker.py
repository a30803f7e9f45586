"""A process of its own that searches and fetches, for tests of kill -9.

`python -m tests.loopback.clipcafe_worker HOME URL WORKER_ID WORD…`
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

from tests.integration.clipcafe_world import make_world
from tests.loopback.clipcafe import KEY


def main(parent: str, url: str, worker_id: str, *words: str) -> None:
    world = make_world(Path(parent), SimpleNamespace(url=url, key=KEY), worker_id=worker_id, timeout_s=20.0, deadline_s=30.0)  # type: ignore[arg-type]
    for word in words:
        for hit in world.source.search(world.word(word), max_hits=3):
            world.source.fetch(world.clip(hit), Path(parent) / "into")
        sys.stdout.write(f"{word}\n")
        sys.stdout.flush()
    world.database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
