"""Any OpenAI-compatible endpoint, through the `openai` SDK's async client.

The SDK's own retries are off: they know nothing of the budget, the log or the other requests.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import math
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Annotated, Any

import openai
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalsuite.asking.backends.base import AttemptFailed
from evalsuite.asking.backends.configs import FREE, EndpointConfig
from evalsuite.asking.backends.pace import Pace
from evalsuite.asking.requests import ChatRequest, Reply, Usage
from workspace.secrets import redact, secret_of

_TURN_OVERHEAD, _CHAT_OVERHEAD = 16, 64
"""Tokens that a chat template may add, generously: for each turn, and for the whole."""
_MOST_TOKENS = 10**9
"""More tokens than this in one answer are a mistake of the server's."""
_NO_KEY = "none"
_SHOWN = 300

# Each request would be logged, with its address, for nothing: the request log has them.
for _name in ("httpx", "httpx2", "openai"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Message(_Loose):
    content: str | None = None


class _Choice(_Loose):
    message: _Message
    finish_reason: str | None = None


class _Usage(_Loose):
    prompt_tokens: Annotated[int, Field(ge=0, le=_MOST_TOKENS)]
    completion_tokens: Annotated[int, Field(ge=0, le=_MOST_TOKENS)]


class _Body(_Loose):
    choices: list[_Choice] = []
    usage: Any = None

    @property
    def used(self) -> _Usage | None:
        """What the server says was used; None if it says nothing that can be true."""
        try:
            return _Usage.model_validate(self.usage)
        except ValidationError:
            return None


class EndpointBackend:
    """Sends requests to one server; each attempt either gives a reply or says what went wrong."""

    def __init__(self, config: EndpointConfig) -> None:
        self.config = config
        self.model = config.model
        self.described = config.described
        self.retries = config.retries
        self.patience_seconds = config.patience_seconds
        self.concurrency = config.concurrency
        self.price = config.price or FREE
        self.takes_empty = False
        """Whether an empty reply that ended by itself is an answer."""
        self.pace = Pace(config.concurrency, config.requests_per_minute)
        key = secret_of(config.api_key) if config.api_key else _NO_KEY
        self._client = _client(config, key)

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for a place and for the pace."""
        return self.pace.turn()

    def worst(self, request: ChatRequest) -> Usage:
        """Return the most that one attempt can use.

        No tokenizer makes more tokens of a text than it has bytes.
        """
        said = sum(len(turn.content.encode()) + _TURN_OVERHEAD for turn in request.messages)
        form = len(request.form[1].encode()) if request.form else 0
        return self._priced(said + form + _CHAT_OVERHEAD, request.max_tokens)

    def _priced(self, input_tokens: int, output_tokens: int) -> Usage:
        money = (input_tokens * self.price.input + output_tokens * self.price.output) / 1e6
        return Usage(input_tokens, output_tokens, money, 1)

    async def attempt(self, request: ChatRequest, key: str) -> Reply:
        """Send the request once."""
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                raw = await self._client.chat.completions.with_raw_response.create(
                    **self._parameters(request), extra_headers={"Idempotency-Key": key}
                )
                body = raw.http_response.text
        except TimeoutError:
            raise AttemptFailed(
                "transient", f"no whole answer within {self.config.timeout_seconds:g} s"
            ) from None
        except openai.APITimeoutError:
            raise AttemptFailed(
                "transient", f"not one byte within {self.config.stall_seconds:g} s"
            ) from None
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APIConnectionError as error:
            raise self._broken(error) from None
        except openai.OpenAIError as error:
            raise AttemptFailed("transient", _said(error)) from None
        return self._reply(body, request)

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "model": self.config.model,
            "messages": request.chat(),
            "temperature": request.temperature,
            "top_p": request.top_p,
            self.config.token_limit: request.max_tokens,
        }
        if self.config.send_seed:
            fields["seed"] = request.sent_seed
        if request.form and self.config.response_format == "json_object":
            fields["response_format"] = {"type": "json_object"}
        elif request.form and self.config.response_format == "json_schema":
            name, schema = request.form
            wanted = {"name": name, "schema": json.loads(schema), "strict": True}
            fields["response_format"] = {"type": "json_schema", "json_schema": wanted}
        return fields

    def _reply(self, body: str, request: ChatRequest) -> Reply:
        try:
            found = _Body.model_validate_json(body)
        except ValidationError:
            raise AttemptFailed(
                "transient", f"the reply is not a chat completion: {_short(body)}"
            ) from None
        used = found.used
        usage = self.worst(request)
        if used is not None:
            usage = self._priced(used.prompt_tokens, used.completion_tokens)
        choice = found.choices[0] if found.choices else None
        ended = choice is not None and choice.finish_reason == "stop" and self.takes_empty
        if choice is None or not (ended or (choice.message.content or "").strip()):
            why = f" (finish_reason {choice.finish_reason})" if choice else ", no choices"
            raise AttemptFailed("transient", f"the reply is empty{why}", used=usage)
        text = choice.message.content or ""
        return Reply(text, choice.finish_reason or "stop", usage, used is not None)

    def _refusal(self, error: openai.APIStatusError) -> AttemptFailed:
        status = error.status_code
        detail = f"{status}: {_said(error)}"
        wait = _retry_after(error.response.headers)
        free = Usage(requests=1)
        if error.code == "insufficient_quota" or status in (401, 402, 403, 404):
            return AttemptFailed("fatal", detail, used=free)
        if 300 <= status < 400:
            place = error.response.headers.get("location", "elsewhere")
            return AttemptFailed("fatal", f"{status}: redirects to {place}", used=free)
        if status == 429 or (status in (503, 529) and wait is not None):
            if wait is not None and wait <= self.patience_seconds:
                self.pace.pause(wait)
            return AttemptFailed("refused", detail, used=free, wait_seconds=wait)
        if status in (408, 409, 425) or status >= 500:
            return AttemptFailed("transient", detail, used=free, wait_seconds=wait)
        return AttemptFailed("rejected", detail, used=free)

    def _broken(self, error: openai.APIConnectionError) -> AttemptFailed:
        cause = error.__cause__
        detail = f"{type(cause or error).__name__}: {_said(cause or error)}"
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout", "ProxyError"):
            return AttemptFailed("unreachable", detail, used=Usage(requests=1))
        return AttemptFailed("transient", detail)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()


def _client(config: EndpointConfig, key: str) -> openai.AsyncOpenAI:
    timeout = openai.Timeout(config.stall_seconds, connect=min(10.0, config.timeout_seconds))
    client = openai.AsyncOpenAI(
        base_url=config.base_url,
        api_key=key,
        max_retries=0,
        timeout=timeout,
        http_client=openai.DefaultAsyncHttpxClient(follow_redirects=False, timeout=timeout),
    )
    # The SDK takes them from the environment; they are for OpenAI alone, not for any endpoint.
    client.organization = client.project = None
    return client


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks to wait: `retry-after-ms`, or seconds, or a date."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) / divisor
        except ValueError:
            seconds = _seconds_until(value)
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _seconds_until(date: str) -> float:
    """Return how far away a date of HTTP is; infinity if it is none."""
    try:
        found = email.utils.parsedate_tz(date)
        return email.utils.mktime_tz(found) - time.time() if found else math.inf
    except (ValueError, OverflowError):
        return math.inf


def _said(error: BaseException) -> str:
    return _short(str(error) or type(error).__name__)


def _short(text: str) -> str:
    """Servers repeat keys in their errors."""
    return redact(" ".join(text.split()))[:_SHOWN]
