"""Paid calls to a provider: what is asked, and what comes back."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PaidCall:
    """What is asked. Equal content is the same call, whoever asks and when."""

    provider: str
    operation: str
    model: str
    prompt_version: str
    canonical_input: str
    """All that the answer depends on, in one canonical text; never a secret. Only its digest is stored."""
    expected_usd: float = 0.0
    """What it is likely to cost, held back from the run's limit until the answer tells; 0: not known. No part of the key."""

    @property
    def key(self) -> str:
        parts = (self.provider, self.operation, self.model, self.prompt_version, self.canonical_input)
        return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode("ascii")).hexdigest()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is plain JSON, without secrets; `cost_usd` None means that the price is not known."""

    body: Any
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a provider says that one call used; None where it does not say."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int = 0
    """Of `tokens_in`, those that its cache served."""
    audio_s: float | None = None
    """Length of the sound, for what is paid by the minute."""
