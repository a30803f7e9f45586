"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, for machines.")]
Backend = Annotated[str, typer.Option("--backend-url", help="The backend; BACKEND_URL, else the practice backend.")]
