"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

LARGEST = 2**63 - 1
"""No id or count of ours is larger, and SQLite takes none that is."""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]
Backend = Annotated[str, typer.Option("--backend-url", help="The backend; BACKEND_URL, else the practice backend.")]
