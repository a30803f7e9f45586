"""Adapters: one file a port and library, named `<port>_<library>.py`. Fakes ship here too."""
