"""A loopback server that speaks OpenAI's wire format, counts what would have been paid, and can be told to misbehave.

It checks requests as strictly as the real one: a schema that strict structured outputs refuse is answered 400 here too.
"""

from __future__ import annotations

import email.parser
import email.policy
import gzip
import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

KEY = "sk-loopback-0123456789abcdef"
CACHE_FROM_TOKENS = 1024
"""A shorter prefix is not cached. Source: OpenAI's guide on prompt caching."""


class Misbehaviour(StrEnum):
    """Used up one a call. Those that end in `_after` have carried the call out: it is paid."""

    PROSE_AFTER = "prose_after"
    CUT_JSON_AFTER = "cut_json_after"
    CUT_AT_ONCE_AFTER = "cut_at_once_after"
    NAN_AFTER = "nan_after"
    REFUSAL_AFTER = "refusal_after"
    OTHER_WORD_AFTER = "other_word_after"
    SCORE_OVER_AFTER = "score_over_after"
    ALL_INVALID_AFTER = "all_invalid_after"
    TWICE_AFTER = "twice_after"
    DEEP_AFTER = "deep_after"
    NO_CHOICES_AFTER = "no_choices_after"
    NO_USAGE_AFTER = "no_usage_after"
    ODD_USAGE_AFTER = "odd_usage_after"
    EMPTY_200 = "empty_200"
    HTML_200 = "html_200"
    ERROR_200 = "error_200"
    ERROR_500 = "error_500"
    GATEWAY_503 = "gateway_503"
    RATE_429 = "rate_429"
    QUOTA_429 = "quota_429"
    KEY_401 = "key_401"
    FORBIDDEN_403 = "forbidden_403"
    MISSING_404 = "missing_404"
    BAD_400 = "bad_400"
    REDIRECT_307 = "redirect_307"
    CUT_BEFORE = "cut_before"
    CUT_BODY_AFTER = "cut_body_after"
    SILENT_AFTER = "silent_after"
    ONE_BYTE_AT_A_TIME_AFTER = "one_byte_at_a_time_after"
    ENDLESS_AFTER = "endless_after"
    GZIP_BOMB_AFTER = "gzip_bomb_after"
    CREDIT_LINE_AFTER = "credit_line_after"
    NO_WORD_TIMES_AFTER = "no_word_times_after"
    ODD_TIMES_AFTER = "odd_times_after"
    NO_SEGMENTS_AFTER = "no_segments_after"


def _error(message: str, kind: str, code: str | None = None) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


PLAIN: dict[Misbehaviour, tuple[int, str, bytes]] = {
    Misbehaviour.EMPTY_200: (200, "application/json", b""),
    Misbehaviour.HTML_200: (200, "text/html", b"<html><h1>Welcome to the hotel's network</h1></html>"),
    Misbehaviour.ERROR_200: (200, "application/json", _error("upstream is gone", "server_error")),
    Misbehaviour.ERROR_500: (500, "application/json", _error("The server had an error", "server_error")),
    Misbehaviour.GATEWAY_503: (503, "text/html", b"<h1>503</h1>"),
    Misbehaviour.RATE_429: (429, "application/json", _error("Rate limit reached", "requests", "rate_limit_exceeded")),
    Misbehaviour.QUOTA_429: (
        429,
        "application/json",
        _error("You exceeded your quota", "insufficient_quota", "insufficient_quota"),
    ),
    Misbehaviour.KEY_401: (
        401,
        "application/json",
        _error(f"Incorrect API key provided: {KEY}", "invalid_request_error", "invalid_api_key"),
    ),
    Misbehaviour.FORBIDDEN_403: (403, "application/json", _error("Country not supported", "request_forbidden")),
    Misbehaviour.MISSING_404: (404, "application/json", _error("The model does not exist", "invalid_request_error", "model_not_found")),
    Misbehaviour.BAD_400: (400, "application/json", _error(f"Unsupported parameter, key {KEY}", "invalid_request_error")),
}


@dataclass
class Seen:
    """One request as the server got it. `is_paid`: it was carried out."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    is_paid: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    audio_s: float = 0.0
    at_s: float = field(default_factory=time.monotonic)
    status: int = 0


def score_words(clip: str, words: list[str]) -> list[dict[str, Any]]:
    """What this server's judge says: scores that follow from the word alone, the five best, every one with its reason."""
    items = []
    for word in words:
        share = int(hashlib.sha256(word.encode()).hexdigest()[:6], 16) / 0xFFFFFF
        score = round(0.5 + share / 2, 2)
        items.append(
            {"word": word, "education": score, "context": round(1.25 - score, 2), "relevance": score,
             "reason": f"The scene shows what “{word}” means here.", "difficulty": "intermediate"}
        )  # fmt: skip
    return sorted(items, key=lambda item: -item["relevance"])[:5]


def hear_line(data: bytes) -> dict[str, Any]:
    """What this server's recogniser hears in any file: one line of four words."""
    line = "Abandon the sinking ship!"
    words = [
        {"word": word.strip("!"), "start": round(0.2 + 0.4 * n, 2), "end": round(0.5 + 0.4 * n, 2)} for n, word in enumerate(line.split())
    ]
    return {"text": line, "duration": 2.5, "words": words, "segments": [_segment(line, 0.0, 2.4)]}


def _segment(text: str, start: float, end: float, no_speech: float = 0.01, logprob: float = -0.2) -> dict[str, Any]:
    return {
        "id": 0, "seek": 0, "start": start, "end": end, "text": " " + text, "tokens": [1, 2], "temperature": 0.0,
        "avg_logprob": logprob, "compression_ratio": 1.1, "no_speech_prob": no_speech,
    }  # fmt: skip


@dataclass
class LoopbackOpenAI:
    """`with LoopbackOpenAI() as server:` — `server.url` is what OPENAI_BASE_URL would be, `KEY` the key."""

    judge: Callable[[str, list[str]], list[dict[str, Any]]] = score_words
    hear: Callable[[bytes], dict[str, Any]] = hear_line
    keys: set[str] = field(default_factory=lambda: {KEY})
    misbehaviours: deque[Misbehaviour] = field(default_factory=deque)
    always: Misbehaviour | None = None
    wrong_for: dict[str, list[Misbehaviour]] = field(default_factory=dict)
    """A text → how the next calls that hold it go wrong."""
    retry_after: str | None = None
    latency_s: float = 0.0
    silence_s: float = 5.0
    limit: tuple[int, float] | None = None
    """At most so many calls in any so many seconds; more are answered 429."""
    seen: list[Seen] = field(default_factory=list)
    most_in_flight: int = 0

    def __enter__(self) -> LoopbackOpenAI:
        self._lock = threading.Lock()
        self._in_flight = 0
        self._prefixes: set[str] = set()
        self._is_over = threading.Event()
        control = self

        class Handler(_Handler):
            server_control = control

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._is_over.set()
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()

    @property
    def paid(self) -> list[Seen]:
        """The calls that were carried out."""
        return [seen for seen in self.seen if seen.is_paid]

    @property
    def tokens(self) -> int:
        """In and out, of all that was carried out."""
        return sum(seen.tokens_in + seen.tokens_out for seen in self.paid)

    # What it answers ---------------------------------------------------------------------------------------------------

    def take(self, seen: Seen, data: bytes) -> tuple[Misbehaviour | None, bool]:
        """How this call is answered, and whether it is over the limit."""
        with self._lock:
            recent = [] if self.limit is None else [one for one in self.seen if one.at_s > seen.at_s - self.limit[1] and one.status != 429]
            self.seen.append(seen)
            if self.limit is not None and len(recent) >= self.limit[0]:
                return Misbehaviour.RATE_429, True
            for text, meant in self.wrong_for.items():
                if meant and text.encode() in data:
                    return meant.pop(0), False
            return (self.misbehaviours.popleft() if self.misbehaviours else self.always), False

    def chat(self, seen: Seen, how: Misbehaviour | None) -> dict[str, Any]:
        body = seen.body
        system, user = body["messages"][0]["content"], body["messages"][-1]["content"]
        asked = json.loads(user.splitlines()[0])
        items = self.judge(asked["clip"], asked["words"])
        choice: dict[str, Any] = {"index": 0, "finish_reason": "stop", "logprobs": None}
        content = _misjudged(items, how)
        choice["message"] = {"role": "assistant", "content": content, "refusal": None}
        if how is Misbehaviour.REFUSAL_AFTER:
            choice["message"] = {"role": "assistant", "content": None, "refusal": "I'm sorry, I can't help with that."}
        if how in (Misbehaviour.CUT_JSON_AFTER, Misbehaviour.CUT_AT_ONCE_AFTER):
            choice["finish_reason"] = "length"
        prefix = json.dumps(body["response_format"]) + system
        seen.tokens_in, seen.tokens_out = (len(prefix) + len(user)) // 4, len(content or "") // 4
        with self._lock:
            is_known = prefix in self._prefixes
            self._prefixes.add(prefix)
        n_prefix = len(prefix) // 4
        seen.tokens_cached = n_prefix // 128 * 128 if is_known and n_prefix >= CACHE_FROM_TOKENS else 0
        usage: Any = {
            "prompt_tokens": seen.tokens_in, "completion_tokens": seen.tokens_out, "total_tokens": seen.tokens_in + seen.tokens_out,
            "prompt_tokens_details": {"cached_tokens": seen.tokens_cached, "audio_tokens": 0},
        }  # fmt: skip
        answer = {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [choice],
            "usage": usage,
        }
        if how is Misbehaviour.NO_CHOICES_AFTER:
            answer["choices"] = []
        if how is Misbehaviour.NO_USAGE_AFTER:
            del answer["usage"]
        if how is Misbehaviour.ODD_USAGE_AFTER:
            answer["usage"] = {"prompt_tokens": -5, "completion_tokens": "many", "prompt_tokens_details": None}
        return answer

    def transcription(self, seen: Seen, how: Misbehaviour | None) -> dict[str, Any]:
        heard = self.hear(seen.body["file"])
        if how is Misbehaviour.CREDIT_LINE_AFTER:
            line = "Thanks for watching!"
            words = [{"word": word, "start": 0.1 + n, "end": 0.9 + n} for n, word in enumerate(line.split())]
            heard = {"text": line, "duration": 4.0, "words": words, "segments": [_segment(line, 0.0, 3.9, 0.55, -0.7)]}
        if how is Misbehaviour.NO_WORD_TIMES_AFTER:
            heard = {name: value for name, value in heard.items() if name != "words"}
        if how is Misbehaviour.NO_SEGMENTS_AFTER:
            heard = {name: value for name, value in heard.items() if name != "segments"}
        if how is Misbehaviour.ODD_TIMES_AFTER:
            odd = [{"word": "odd", "start": "NaN", "end": 1}, {"word": "late", "start": -3, "end": 10**400}, {"word": None}, 7]
            heard = heard | {"words": heard["words"] + odd, "segments": [*heard["segments"], None, {"start": None}]}
        seen.audio_s = heard["duration"]
        usage = {} if how is Misbehaviour.NO_USAGE_AFTER else {"usage": {"type": "duration", "seconds": int(heard["duration"]) + 1}}
        if how is Misbehaviour.NO_USAGE_AFTER:
            heard = heard | {"duration": None}
        return {"task": "transcribe", "language": "english", **heard, **usage}


def _misjudged(items: list[dict[str, Any]], how: Misbehaviour | None) -> str:
    first = (
        dict(items[0]) if items else {"word": "x", "education": 1, "context": 1, "relevance": 1, "reason": "x", "difficulty": "beginner"}
    )
    text = json.dumps({"words": items}, ensure_ascii=False)
    if how is Misbehaviour.PROSE_AFTER:
        return "Certainly! The clip shows the word very well, I would approve it."
    if how is Misbehaviour.CUT_JSON_AFTER:
        return text[: text.rindex("{") + 20]
    if how is Misbehaviour.CUT_AT_ONCE_AFTER:
        return text[:25]
    if how is Misbehaviour.NAN_AFTER:
        return json.dumps({"words": [first | {"relevance": float("nan")}, *items[1:]]})
    if how is Misbehaviour.OTHER_WORD_AFTER:
        return json.dumps({"words": [first | {"word": "unheard-of"}, *items]})
    if how is Misbehaviour.SCORE_OVER_AFTER:
        return json.dumps({"words": [first | {"relevance": 1.1}, *({**one, "education": "11/10"} for one in items[1:2]), *items[2:]]})
    if how is Misbehaviour.ALL_INVALID_AFTER:
        return json.dumps({"words": [one | {"context": 11} for one in items]})
    if how is Misbehaviour.TWICE_AFTER:
        return json.dumps({"words": [*items, first | {"relevance": 0.01}]})
    if how is Misbehaviour.DEEP_AFTER:
        return '{"words": ' + "[" * 20_000
    return text


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_control: LoopbackOpenAI

    def log_message(self, *args: object) -> None:
        """Keeps quiet."""

    def do_GET(self) -> None:
        control = self.server_control
        if not self._has_key():
            return self._give(*PLAIN[Misbehaviour.KEY_401])
        if control.always in PLAIN:
            return self._give(*PLAIN[control.always])
        models = [{"id": name, "object": "model", "created": 1, "owned_by": "loopback"} for name in ("gpt-4o-mini", "whisper-1")]
        return self._give(200, "application/json", json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self) -> None:
        control = self.server_control
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.path.removeprefix("/v1"), headers, {})
        with control._lock:
            control._in_flight += 1
            control.most_in_flight = max(control.most_in_flight, control._in_flight)
        try:
            self._answer(control, seen, data)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with control._lock:
                control._in_flight -= 1

    def _answer(self, control: LoopbackOpenAI, seen: Seen, data: bytes) -> None:
        how, _ = control.take(seen, data)
        control._is_over.wait(control.latency_s)
        if not self._has_key():
            seen.status = 401
            return self._give(*PLAIN[Misbehaviour.KEY_401])
        if how is Misbehaviour.CUT_BEFORE:
            self.close_connection = True
            return None
        if how is Misbehaviour.REDIRECT_307:
            return self._give(307, "text/plain", b"", Location="http://127.0.0.1:1/v1/chat/completions")
        if how in PLAIN:
            seen.status = PLAIN[how][0]
            extra = {"Retry-After": control.retry_after} if how is Misbehaviour.RATE_429 and control.retry_after is not None else {}
            return self._give(*PLAIN[how], **extra)
        try:
            seen.body = _read_request(seen.path, self.headers.get("Content-Type", ""), data)
        except ValueError as error:
            seen.status = 400
            return self._give(400, "application/json", _error(str(error), "invalid_request_error"))
        ways = {"/chat/completions": control.chat, "/audio/transcriptions": control.transcription, "/embeddings": _embedding}
        answer = ways[seen.path](seen, how)
        seen.is_paid, seen.status = True, 200
        return self._reply(json.dumps(answer).encode(), how, control)

    def _reply(self, body: bytes, how: Misbehaviour | None, control: LoopbackOpenAI) -> None:
        if how is Misbehaviour.SILENT_AFTER:
            control._is_over.wait(control.silence_s)
        if how is Misbehaviour.GZIP_BOMB_AFTER:
            return self._give(200, "application/json", gzip.compress(b" " * 50_000_000, 1), **{"Content-Encoding": "gzip"})
        if how is Misbehaviour.CUT_BODY_AFTER:
            self._head(200, "application/json", len(body))
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return None
        if how in (Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER, Misbehaviour.ENDLESS_AFTER):
            self._head(200, "application/json", 2 * 1024**3)
            while not control._is_over.wait(0.05 if how is Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER else 0):
                self.wfile.write(b" " if how is Misbehaviour.ONE_BYTE_AT_A_TIME_AFTER else b" " * 65536)
            self.close_connection = True
            return None
        return self._give(200, "application/json", body)

    def _has_key(self) -> bool:
        return self.headers.get("Authorization", "").removeprefix("Bearer ") in self.server_control.keys

    def _give(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        self._head(status, kind, len(body), **headers)
        self.wfile.write(body)

    def _head(self, status: int, kind: str, n_bytes: int, **headers: str) -> None:
        self.send_response(status)
        fields = {"Content-Type": kind, "Content-Length": str(n_bytes), "x-request-id": f"req_{len(self.server_control.seen)}", **headers}
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()


# Requests, checked as strictly as by the real one ------------------------------------------------------------------------

CHAT_FIELDS = {"model", "messages", "response_format", "temperature", "max_completion_tokens", "seed"}


def _read_request(path: str, kind: str, data: bytes) -> dict[str, Any]:
    """Raises ValueError with the message of a 400."""
    if path == "/audio/transcriptions":
        return _read_form(kind, data)
    if path not in ("/chat/completions", "/embeddings"):
        raise ValueError(f"Unknown request URL: POST {path}")
    body = json.loads(data)
    if not isinstance(body, dict) or not isinstance(body.get("model"), str) or not body["model"]:
        raise ValueError("you must provide a model parameter")
    if path == "/chat/completions":
        check_chat(body)
    return body


def check_chat(body: dict[str, Any]) -> None:
    """Raises ValueError for what strict structured outputs refuse."""
    if unknown := set(body) - CHAT_FIELDS:
        raise ValueError(f"Unrecognized request argument supplied: {sorted(unknown)}")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ValueError("'messages' is too short")
    for message in messages:
        if set(message) != {"role", "content"} or message["role"] not in ("system", "user", "assistant") or not message["content"]:
            raise ValueError(f"Invalid message {message!r}")
    if not isinstance(body.get("max_completion_tokens"), int):
        raise ValueError("this server wants max_completion_tokens, so that no answer costs without limit")
    wanted = body.get("response_format")
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise ValueError("response_format must be a json_schema")
    schema = wanted.get("json_schema")
    if not isinstance(schema, dict) or schema.get("strict") is not True or not isinstance(schema.get("name"), str):
        raise ValueError("json_schema needs a name and strict: true")
    if schema.get("schema", {}).get("type") != "object":
        raise ValueError("the root of a schema must be an object")
    check_strict(schema["schema"], "schema")


def check_strict(node: Any, path: str) -> None:
    """Raises ValueError where a node of a schema is not allowed under `strict`."""
    if not isinstance(node, dict):
        raise ValueError(f"{path} is no schema")
    if "$ref" in node or "$defs" in node:
        raise ValueError(f"{path} holds a reference")
    if node.get("type") == "object":
        properties = node.get("properties", {})
        if node.get("additionalProperties") is not False:
            raise ValueError(f"{path}: 'additionalProperties' is required to be supplied and to be false")
        if sorted(node.get("required", [])) != sorted(properties):
            raise ValueError(f"{path}: 'required' must name every property")
        for name, inner in properties.items():
            check_strict(inner, f"{path}.{name}")
    elif node.get("type") == "array":
        check_strict(node.get("items"), f"{path}[]")
    elif node.get("type") not in ("string", "number", "integer", "boolean"):
        raise ValueError(f"{path} has no type")


def _read_form(kind: str, data: bytes) -> dict[str, Any]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    form = parser.parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + data)
    found: dict[str, Any] = {}
    for part in form.iter_parts():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if name == "file":
            found |= {"file": value, "file_name": part.get_filename()}
        elif str(name).endswith("[]"):
            found.setdefault(str(name), []).append(value.decode())
        else:
            found[str(name)] = value.decode()
    if not found.get("file"):
        raise ValueError("file is required")
    if not str(found["file_name"]).endswith((".mp4", ".wav", ".mp3", ".webm", ".m4a")):
        raise ValueError("Unrecognized file format")
    if found.get("model") != "whisper-1":
        raise ValueError("invalid model ID")
    if found.get("response_format") != "verbose_json":
        raise ValueError("timestamp_granularities need verbose_json")
    if sorted(found.get("timestamp_granularities[]", [])) != ["segment", "word"]:
        raise ValueError("this server gives words and segments only where both are asked for")
    return found


def _embedding(seen: Seen, how: Misbehaviour | None) -> dict[str, Any]:
    texts = seen.body.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    rows = []
    for place, text in enumerate(texts):
        seed = hashlib.sha256(text.encode()).digest()
        rows.append({"object": "embedding", "index": place, "embedding": [(seed[n % 32] - 127.5) / 127.5 / 39.2 for n in range(1536)]})
    seen.tokens_in = sum(len(text) // 4 + 1 for text in texts)
    usage = {"prompt_tokens": seen.tokens_in, "total_tokens": seen.tokens_in}
    return {"object": "list", "data": rows, "model": seen.body["model"], "usage": usage}
