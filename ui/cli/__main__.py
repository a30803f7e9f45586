"""`python -m ui.cli`: what `run.py` hands over to."""

from ui.cli.main import main

main()
