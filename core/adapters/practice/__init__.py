"""The practice backend: the production contract on an embedded database of its own. Not production."""
