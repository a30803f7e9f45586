"""Bundles by the name that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.services.desk import bundle_label

if TYPE_CHECKING:
    from core.model.vocabulary import Bundle
    from core.wiring import App


def known_bundles(app: App) -> dict[str, Bundle]:
    """Name → bundle, real ones first."""
    return {bundle.name: bundle for bundle in app.vocabulary.bundles()}


def label_of(bundle: Bundle) -> str:
    """`TOEFL beginner`, `Demo IELTS advanced`, `Unit 12 words`."""
    return bundle_label(bundle.name, bundle.exam, bundle.level)


def with_labels(text: str, bundles: dict[str, Bundle]) -> str:
    """A run's name with its bundle as people read it: `gaps of TOEFL beginner`."""
    before, blank, name = text.rpartition(" ")
    return f"{before}{blank}{label_of(bundles[name])}" if name in bundles else text
