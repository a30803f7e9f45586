"""Errors as the API answers them: `{"code", "message", "hint"}` and a status, whatever went wrong."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core.errors import (
    Conflict,
    ExportError,
    MediaError,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    StoreError,
    UserError,
    WordreelError,
)

log = logging.getLogger("wordreel.api")

STATUSES: tuple[tuple[type[WordreelError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (Refused, 403),
    (UserError, 400),
    (MediaError, 422),
    (RateLimited, 503),
    (ExportError, 502),
    (ProviderError, 502),
    (StoreError, 503),
)
"""The first that fits counts."""


def status_of(error: WordreelError) -> int:
    """The HTTP status of an error; 500 for one that should not have come here."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), 500)


def add_error_answers(api: FastAPI) -> None:
    """Let every fault of a route be answered in the same shape."""
    api.add_exception_handler(WordreelError, _known)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(Exception, _bug)


def refusal(status: int, code: str, message: str, hint: str = "") -> JSONResponse:
    """An answer that says no."""
    return JSONResponse({"code": code, "message": message, "hint": hint}, status_code=status)


def _known(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WordreelError)
    return JSONResponse(error.as_json(), status_code=status_of(error))


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [f"{_place(fault)}: {fault['msg']}" for fault in error.errors()]
    return refusal(400, "invalid_input", "; ".join(faults[:5])[:500], "See /api/docs for what this address takes.")


def _place(fault: Mapping[str, Any]) -> str:
    """Where in the request it is: a field, a parameter, or the whole body."""
    where = fault["loc"][1:]
    return "the body" if not where or fault["type"] == "json_invalid" else ".".join(str(part) for part in where)


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method_not_allowed"}
    path = request.url.path
    says = {404: f"There is no address {path}.", 405: f"{path} does not answer to {request.method}."}
    message = says.get(error.status_code, str(error.detail))
    return refusal(error.status_code, codes.get(error.status_code, "http"), message, "See /api/docs for the addresses.")


def _bug(request: Request, error: Exception) -> JSONResponse:
    log.error("%s %s failed: %s", request.method, request.url.path, type(error).__name__, exc_info=error)
    return refusal(500, "bug", "This is a fault of Wordreel; nothing was half-written.", "The server's log has the details.")
