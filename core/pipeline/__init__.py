"""Discovery and ingest: one stage a file; the engine drives them. See DESIGN.md, The way of a clip."""
