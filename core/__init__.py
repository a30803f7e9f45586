"""Wordreel's core: the domain, its store, its pipeline and its services; no screen is imported here."""
