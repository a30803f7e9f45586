"""What `run.py` does before Wordreel itself can be imported. The standard library only."""
