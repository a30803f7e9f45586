"""An OpenAI-compatible chat model as a judge: one call a clip for all its words, each call in the ledger.

The question is only the spoken text and the words, so that the shortlist and the score, or two runs, that ask the same pay once.
Prompt and schema never change within a version and come first, so that a provider's cache can serve them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.adapters.openai_server import OpenAIServer, ServerAnswer
from core.errors import BadAnswer, ProviderUnavailable
from core.model.calls import Answer, PaidCall, Usage
from core.model.clips import Verdict
from core.model.vocabulary import Level, VocabularyWord
from core.ports import CallCost, CallLedger, ClipText
from core.rules.matching import WordMatcher
from core.rules.orders import gives_orders, marked
from core.rules.prices import ModelPrice, cost_usd, find_price, likely_usage, price_table
from core.rules.verdicts import MAX_ANSWER_CHARS, ReadAnswer, read_verdicts
from core.rules.word_keys import word_key

if TYPE_CHECKING:
    from openai import OpenAI

log = logging.getLogger(__name__)

PROMPT_VERSION = "1"
"""Names the file of the prompt. A change of prompt or schema is a new version and a new file; old ones stay."""

MAX_CLIP_CHARS = 2_000
"""Far more than anybody says in 15 s; what is beyond is not sent."""

MAX_TOKENS_OUT = 1_200
"""Five items with their reasons take about 350. A repair may take twice as many."""

REASONING_MODELS = ("o1", "o3", "o4", "gpt-5")
"""Names that start so refuse a temperature, and what they think counts as tokens out."""

ROOM_TO_THINK = 4
"""How many times as many tokens such a model may use."""

_ITEM: dict[str, Any] = {
    "word": {"type": "string"},
    "education": {"type": "number"},
    "context": {"type": "number"},
    "relevance": {"type": "number"},
    "reason": {"type": "string"},
    "difficulty": {"type": "string", "enum": list(Level)},
}
_ITEMS = {"type": "object", "properties": _ITEM, "required": list(_ITEM), "additionalProperties": False}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"words": {"type": "array", "items": _ITEMS}},
    "required": ["words"],
    "additionalProperties": False,
}
"""Strict structured outputs: everything required, nothing more allowed, no `$ref`."""


@lru_cache(maxsize=4)
def prompt(version: str = PROMPT_VERSION) -> str:
    """The instructions of one version, as sent."""
    return (Path(__file__).parent / "prompts" / f"judge_{version}.md").read_text(encoding="utf-8").strip()


class OpenAIJudge:
    """`ports.Judge` over a server; safe to share between threads, as many clips in flight as the server allows.

    Args:
        ledger: every call goes through it.
        prices: asked at each call, so that an operator's edit counts from then on.
    """

    name = "openai"
    is_paid = True
    prompt_version = PROMPT_VERSION

    def __init__(
        self,
        server: OpenAIServer,
        ledger: CallLedger,
        *,
        model: str = "gpt-4o-mini",
        prices: Callable[[], Mapping[str, ModelPrice]] = price_table,
    ) -> None:
        self.model = model
        self._server = server
        self._ledger = ledger
        self._prices = prices

    def with_model(self, model: str) -> OpenAIJudge:
        """See `core.ports.ChoosesModel.with_model`."""
        return self if model == self.model else OpenAIJudge(self._server, self._ledger, model=model, prices=self._prices)

    def judge(self, clip: ClipText, words: Sequence[VocabularyWord]) -> tuple[Sequence[Verdict], CallCost]:
        """See `core.ports.Judge.judge`. Words that are not spoken are not asked; without any, nothing is paid.

        Verdicts on a text that gives orders to a model carry a mark. The cost is that of the answer, also of a kept one.
        Raises: BadAnswer when the answer and its one repair hold nothing that can be used (both are kept); what the ledger and
        the server raise.
        """
        spoken_ids = {match.word_id for match in WordMatcher(words).find_in_text(clip.text)}
        asked = sorted({word.text for word in words if word.word_id in spoken_ids}, key=lambda text: (word_key(text), text))
        if not asked:
            return (), CallCost()
        question = write_question(clip.text, asked)
        answers = [self._ask("judge", question, asked)]
        read = _read(answers[0], asked)
        if read.fault:
            answers.append(self._ask("judge_repair", question, asked, fault=read.fault))
            read = _read(answers[1], asked)
        if read.fault:
            raise BadAnswer(
                f"{self.model} gave no usable verdict, and none when asked again. {read.fault}",
                hint="The answers were paid and are kept. Another JUDGE_MODEL may do better.",
                provider=self._server.name,
                model=self.model,
                request_id=answers[-1].request_id,
                attempt=2,
            )
        verdicts = [marked(verdict) for verdict in read.verdicts] if gives_orders(clip.text) else read.verdicts
        return tuple(verdicts), _cost(answers)

    def _ask(self, operation: str, question: str, asked: Sequence[str], fault: str = "") -> Answer:
        usage = expected_usage(len(question), len(asked))
        expected_usd = cost_usd(usage, find_price(self.model, self._prices())) or 0.0
        call = PaidCall(self._server.name, operation, self.model, self.prompt_version, question, expected_usd)
        return self._ledger.call(call, lambda: self._perform(question, asked, fault))

    def _perform(self, question: str, asked: Sequence[str], fault: str) -> Answer:
        sent = question + (f"\nYour last answer could not be used: {_safe(fault)} Give only the JSON object." if fault else "")
        n_tokens = MAX_TOKENS_OUT * 2 if fault else MAX_TOKENS_OUT
        given = self._server.ask(lambda client: _send(client, self.model, sent, n_tokens), self.model)
        body = _kept_body(given, self._server.host, self.model)
        usage = read_usage(given.body.get("usage"))
        read = _read_body(body, asked)
        for why in read.dropped:
            log.info("judge %s: dropped: %s", self.model, why)
        body |= {"dropped": list(read.dropped), "fault": read.fault, "tokens_cached": usage.tokens_cached}
        price = cost_usd(usage, find_price(self.model, self._prices()))
        return Answer(body, usage.tokens_in or 0, usage.tokens_out or 0, price, given.request_id)


def write_question(text: str, asked: Sequence[str]) -> str:
    """What changes from clip to clip, as one JSON object: the text cannot leave its string, whatever quotes or marks it holds."""
    said = " ".join(_plain(text).split())[:MAX_CLIP_CHARS]
    return json.dumps({"clip": said, "words": [_plain(word) for word in asked]}, ensure_ascii=False, separators=(",", ":"))


def static_chars() -> int:
    """How many characters every call sends whatever the clip: instructions and schema."""
    return len(prompt()) + len(json.dumps(SCHEMA, separators=(",", ":")))


def expected_usage(text_chars: int, n_words: int) -> Usage:
    """What one call on a clip is likely to use, for a plan and for the run's limit of money."""
    return likely_usage(static_chars() + text_chars + 12 * n_words + 24, min(n_words, 5))


def read_usage(usage: object) -> Usage:
    """A server's `usage`; what is missing or no count is None."""
    if not isinstance(usage, dict):
        return Usage()
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, dict) else None
    return Usage(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")), cached or 0)


def _send(client: OpenAI, model: str, question: str, n_tokens: int) -> Any:
    is_reasoning = model.startswith(REASONING_MODELS)
    settings: dict[str, Any] = {} if is_reasoning else {"temperature": 0}
    return client.chat.completions.with_raw_response.create(
        model=model,
        messages=[{"role": "system", "content": prompt()}, {"role": "user", "content": question}],
        response_format={"type": "json_schema", "json_schema": {"name": "verdicts", "strict": True, "schema": dict(SCHEMA)}},
        max_completion_tokens=n_tokens * ROOM_TO_THINK if is_reasoning else n_tokens,
        **settings,
    )


def _kept_body(given: ServerAnswer, host: str, model: str) -> dict[str, Any]:
    """What is kept of an answer. Raises: ProviderUnavailable for JSON that is no answer of a chat model."""
    choices = given.body.get("choices")
    if not isinstance(choices, list) and not isinstance(given.body.get("usage"), dict):
        raise ProviderUnavailable(
            f"{host} answered 200 with JSON that is not a chat answer.",
            hint="Check OPENAI_BASE_URL.",
            provider=host,
            model=model,
            request_id=given.request_id,
        )
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    given_message = choice.get("message")
    message: Mapping[str, Any] = given_message if isinstance(given_message, dict) else {}
    texts = {"content": message.get("content"), "refusal": message.get("refusal"), "finish_reason": choice.get("finish_reason")}
    return {name: _plain(text[: MAX_ANSWER_CHARS + 1]) if isinstance(text, str) else "" for name, text in texts.items()}


def _read(answer: Answer, asked: Sequence[str]) -> ReadAnswer:
    return _read_body(answer.body if isinstance(answer.body, dict) else {}, asked)


def _read_body(body: Mapping[str, Any], asked: Sequence[str]) -> ReadAnswer:
    finish_reason = str(body.get("finish_reason") or "")
    return read_verdicts(body.get("content"), asked, finish_reason=finish_reason, refusal=body.get("refusal"))


def _cost(answers: Sequence[Answer]) -> CallCost:
    """Of all calls that led to the verdicts; a price that is not known adds nothing here (the ledger says "at least")."""
    return CallCost(
        sum(answer.tokens_in for answer in answers),
        sum(answer.tokens_out for answer in answers),
        sum(answer.cost_usd or 0.0 for answer in answers),
        answers[-1].request_id,
    )


def _safe(fault: str) -> str:
    """A fault in our own words only: what the model wrote is not sent back to it as an instruction."""
    return "it held no usable item." if fault.startswith("No item") else "it was a refusal." if fault.startswith("The model") else fault


def _plain(text: str) -> str:
    """Text that every store and wire can carry: no NUL, no lone surrogate."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000_000 else None
