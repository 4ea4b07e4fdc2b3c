"""Log-likelihood of a choice from a server that gives the log-probabilities of its prompt.

vLLM does (`prompt_logprobs`, with `continue_final_message` so that the choice is the beginning of
the assistant's turn); OpenAI's own API and most providers do not.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from evalsuite.asking.backends.endpoint import EndpointBackend
from evalsuite.asking.requests import ChatRequest, Reply, Usage

NOT_GIVEN = "the server gives no log-probabilities of prompts"
NOT_ALIGNED = "no token of the prompt begins where the choice does"


class _Token(BaseModel):
    model_config = ConfigDict(extra="ignore")
    logprob: float
    rank: int | None = None
    decoded_token: str | None = None


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")
    prompt_logprobs: list[dict[str, _Token] | None] | None = None


class LikelihoodBackend(EndpointBackend):
    """Asks how likely the last message is.

    A reply's text is `{"logprob": …, "tokens": …}`, or `{"reason": …}` where the server does not
    tell: that was paid for too, and asking again would not help.
    """

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        extra = {
            "prompt_logprobs": 0,
            "add_generation_prompt": False,
            "continue_final_message": True,
        }
        return {**super()._parameters(request), "extra_body": extra}

    def _reply(self, body: str, request: ChatRequest) -> Reply:
        usage = self._used(body, request)
        try:
            told = _Body.model_validate_json(body).prompt_logprobs
        except ValidationError:
            told = None
        found = last_tokens(told or [], request.messages[-1].content)
        said: dict[str, Any] = {"reason": NOT_ALIGNED if told else NOT_GIVEN}
        if found is not None:
            said = {"logprob": found[0], "tokens": found[1]}
        return Reply(json.dumps(said), "stop", usage)

    def _used(self, body: str, request: ChatRequest) -> Usage:
        try:
            used = json.loads(body)["usage"]
            return self._priced(int(used["prompt_tokens"]), int(used["completion_tokens"]))
        except (ValueError, KeyError, TypeError):
            return self.worst(request)


def last_tokens(told: list[dict[str, _Token] | None], choice: str) -> tuple[float, int] | None:
    """Return the summed log-likelihood of the tokens that spell `choice`, and their number.

    None: no token begins where the choice does, or one has no number.
    """
    text, logprob, count = "", 0.0, 0
    for entry in reversed(told):
        if len(text) >= len(choice):
            break
        token = next(iter(entry.values())) if entry else None
        if token is None or token.decoded_token is None or token.logprob != token.logprob:
            return None
        text, logprob, count = token.decoded_token + text, logprob + token.logprob, count + 1
    return (logprob, count) if text == choice else None
