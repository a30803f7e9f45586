"""A worker for a ClipCafe whose clock runs faster: `python -P -m tests.loopback.scaled_worker SCALE`, settings in the environment.

The program is the one that PYTHONPATH names first: a copy that has no `.env` of its own.
"""

from __future__ import annotations

import sys


def main(scale: str) -> None:
    from core.config import load_config
    from core.pipeline.worker import Workload, run_worker
    from core.wiring import build_work
    from ui.cli.logs import set_up_logs

    set_up_logs()
    config = load_config()

    def make(database, worker_id):  # type: ignore[no-untyped-def]
        return build_work(config, database, worker_id, clipcafe_time_scale=float(scale))

    run_worker(Workload(config.home_path, config.database_url, make), name="scaled")


if __name__ == "__main__":
    main(*sys.argv[1:])
