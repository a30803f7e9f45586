"""A process of its own that takes rate slots and says when: for tests of several workers and of kill -9.

`python -m tests.loopback.slot_taker HOME DATABASE_URL NAME LIMIT WINDOW_S SECONDS` appends a line a slot to standard output: the
machine's counter at the moment at which a request would go out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.store.database import Database
from core.store.rate_slots import RateSlots, machine_counter_s


def main(home: str, url: str, name: str, limit: str, window_s: str, seconds: str) -> None:
    database = Database(Path(home), url)
    slots = RateSlots(database, name, int(limit), float(window_s))
    end_s = machine_counter_s() + float(seconds)
    while machine_counter_s() < end_s:
        slots.take(lambda wait_s: sys.exit(0) if machine_counter_s() + wait_s > end_s + 1 else None)
        sys.stdout.write(f"{machine_counter_s():.6f}\n")
        sys.stdout.flush()
    database.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
