"""Every error that Wordreel raises on purpose.

    WordreelError
    ├── UserError              exit 2   the person or the operator can mend it
    │   ├── ConfigError                 every bad setting at once
    │   ├── NotFound                    also a LookupError
    │   ├── Conflict                    somebody else was faster; nothing was overwritten
    │   ├── InvalidInput                also a ValueError: a file, a row, an argument
    │   └── Refused                     a rule forbids it; the hint says which
    ├── MediaError             exit 2   one file; the others carry on
    │   ├── UnreadableMedia             not a film, truncated, wrong container
    │   ├── UnsupportedMedia            readable, but not usable here
    │   └── DecoderDied                 the decoding process was killed
    ├── ProviderError          exit 3   a source, model or backend; `is_retryable` says if waiting helps
    │   ├── ProviderUnavailable
    │   ├── RateLimited                 carries `retry_after_s`
    │   ├── NotSent                     the request certainly never went out
    │   ├── KeyRefused
    │   ├── QuotaUsedUp                 the plan, the month or the credit is spent; waiting a minute does not help
    │   │   ├── QuotaReached            the month's, counted here; carries `resets_at`
    │   │   └── BudgetReached           the run's own limit of money or downloads
    │   ├── BadAnswer                   paid, kept, and not usable
    │   └── ModelMissing
    ├── ExportError            exit 3   carries what already arrived
    └── StoreError             exit 2   database, files, disk
        ├── DatabaseNewer
        ├── DatabaseCorrupt
        ├── DatabaseUnavailable         locked, read-only, gone
        └── DiskFull

`code` is what the API and `--json` show, `hint` says what to do now. A message names the thing it is about and
never holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class WordreelError(Exception):
    """Something that Wordreel understands and can explain."""

    code = "error"
    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[Callable[..., WordreelError], tuple[object, ...]]:
        """Errors travel between processes with everything they carry, although their arguments have names."""
        return _rebuild, (type(self), self.args, self.__dict__)

    def as_json(self) -> dict[str, str]:
        """The body that the API and `--json` give: `{"code", "message", "hint"}`."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


def _rebuild(kind: type[WordreelError], args: tuple[object, ...], carried: dict[str, object]) -> WordreelError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(carried)
    return error


class UserError(WordreelError):
    """The person or the operator can mend this."""

    code = "user_error"
    exit_code = 2


class ConfigError(UserError):
    """Settings that cannot be used; the message lists every one of them."""

    code = "config"


class NotFound(UserError, LookupError):
    """No such thing."""

    code = "not_found"


class Conflict(UserError):
    """Somebody else changed it first; both are in the history and nothing was overwritten."""

    code = "conflict"


class InvalidInput(UserError, ValueError):
    """A file, a row or an argument that cannot be used."""

    code = "invalid_input"


class Refused(UserError):
    """A rule forbids it."""

    code = "refused"


class MediaError(WordreelError):
    """One media file that cannot be used; the others carry on."""

    code = "media"
    exit_code = 2


class UnreadableMedia(MediaError):
    """The file is not a film, is cut off, or does not decode."""

    code = "unreadable_media"


class UnsupportedMedia(MediaError):
    """The file can be read but not used here."""

    code = "unsupported_media"


class DecoderDied(MediaError):
    """The process that decoded this file was killed."""

    code = "decoder_died"


class ProviderError(WordreelError):
    """A source, a model or a backend outside Wordreel did not do its part."""

    code = "provider"
    exit_code = 3
    is_retryable = False

    def __init__(
        self, message: str, *, hint: str = "", provider: str = "", model: str = "", request_id: str = "", attempt: int = 1
    ) -> None:
        super().__init__(message, hint=hint)
        self.provider = provider
        self.model = model
        self.request_id = request_id
        self.attempt = attempt


class ProviderUnavailable(ProviderError):
    """No answer, or one that says that the fault is on the other side."""

    code = "provider_unavailable"
    is_retryable = True


class RateLimited(ProviderError):
    """The provider asks to wait."""

    code = "rate_limited"
    is_retryable = True

    def __init__(self, message: str, *, retry_after_s: float, hint: str = "", provider: str = "") -> None:
        super().__init__(message, hint=hint, provider=provider)
        self.retry_after_s = retry_after_s


class NotSent(ProviderError):
    """The request certainly never went out: nothing was paid, and the same again can work."""

    code = "not_sent"
    is_retryable = True


class KeyRefused(ProviderError):
    """The key is missing, wrong or revoked."""

    code = "key_refused"


class QuotaUsedUp(ProviderError):
    """The plan, the month or the credit is used up: nothing more is answered until it is filled again."""

    code = "quota_used_up"


class QuotaReached(QuotaUsedUp):
    """What the plan allows in a month is used up by our own count; nothing was sent."""

    code = "quota_reached"

    def __init__(self, message: str, *, resets_at: datetime, hint: str = "", provider: str = "") -> None:
        super().__init__(message, hint=hint, provider=provider)
        self.resets_at = resets_at


class BudgetReached(QuotaUsedUp):
    """The run's own limit of money or downloads would be passed by this call; it was not made."""

    code = "budget_reached"


class BadAnswer(ProviderError):
    """The provider answered, and no part of the answer can be used."""

    code = "bad_answer"


class ModelMissing(ProviderError):
    """A model that was asked for is not on this machine."""

    code = "model_missing"


class ExportError(ProviderError):
    """A target did not take what was sent: nothing of that request arrived."""

    code = "export"

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        provider: str = "",
        is_retryable: bool = False,
        retry_after_s: float = 0.0,
        is_about_items: bool = True,
    ) -> None:
        """`is_about_items` is false where any request would get the same answer: no connection, wrong key, wrong address."""
        super().__init__(message, hint=hint, provider=provider)
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s
        self.is_about_items = is_about_items


class StoreError(WordreelError):
    """The database, the media files or the disk."""

    code = "store"
    exit_code = 2


class DatabaseNewer(StoreError):
    """The database was written by a newer Wordreel; it was not touched."""

    code = "database_newer"


class DatabaseCorrupt(StoreError):
    """The database does not pass its integrity check."""

    code = "database_corrupt"


class DatabaseUnavailable(StoreError):
    """The database is locked, read-only or gone."""

    code = "database_unavailable"


class DiskFull(StoreError):
    """No room left where something must be written."""

    code = "disk_full"
