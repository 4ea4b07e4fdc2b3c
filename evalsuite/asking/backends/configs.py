"""Which model answers: any OpenAI-compatible endpoint, or a model on this machine."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from workspace.recipe import Section
from workspace.secrets import SECRET_NAMES, is_reference, shown_reference


def _reference(value: Any) -> Any:
    """Refuse a key written out, and never repeat it: what is refused is shown to a person."""
    if value is None or (isinstance(value, str) and is_reference(value)):
        return value
    wanted = f"env:NAME, where {SECRET_NAMES}"
    found = shown_reference(value) if isinstance(value, str) else "something else (hidden)"
    raise ValidationError.from_exception_data(
        "api_key",
        [{"type": PydanticCustomError("value_error", wanted), "input": found}],
    )


SecretReference = Annotated[str, BeforeValidator(_reference)]


class Price(Section):
    """What an endpoint charges, in the currency of `budget.money`."""

    input: float = Field(ge=0)
    """For one million tokens of prompts."""
    output: float = Field(ge=0)
    """For one million tokens of answers."""


FREE = Price(input=0.0, output=0.0)


class EndpointConfig(Section):
    """Any server that speaks OpenAI's chat completions: a provider, vLLM, llama.cpp, Ollama."""

    kind: Literal["endpoint"] = "endpoint"
    """An address that answers as OpenAI's API does."""
    base_url: str
    """For example `http://127.0.0.1:8000/v1`. Rows are sent there and nowhere else: redirects are
    refused."""
    model: str = Field(min_length=1)
    """As the server calls it."""
    api_key: SecretReference | None = None
    """`env:NAME`: the environment variable that holds the key; never the key itself. NAME ends in
    API_KEY, ACCESS_KEY, TOKEN, SECRET or PASSWORD, so that its value can be kept out of logs."""
    price: Price | None = None
    """Per one million tokens; `budget.money` needs it. Zero for a server of your own."""
    concurrency: int = Field(default=8, ge=1, le=1024)
    """Requests under way at once."""
    requests_per_minute: float | None = Field(default=None, gt=0)
    """Most requests begun in a minute, evenly spaced; left out: no limit but the server's."""
    timeout_seconds: float = Field(default=300.0, gt=0)
    """Longest that one request may take in all."""
    stall_seconds: float = Field(default=120.0, gt=0)
    """Longest without one byte from the server before a request is given up and tried again."""
    retries: int = Field(default=5, ge=0, le=50)
    """How often a request that failed (500, a cut or empty reply, a stall) is sent again. Refusals
    for lack of room (429, 503) and unreachable servers do not count: see `patience_seconds`."""
    patience_seconds: float = Field(default=900.0, gt=0)
    """How long the server may refuse everything, or be unreachable, before the job stops. No row
    is lost by it: the same command goes on."""
    response_format: Literal["none", "json_object", "json_schema"] = "none"
    """How replies that must be JSON are asked for, beside the words of the prompt. Servers that
    know `json_schema` then cannot give another form."""
    token_limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the server calls the longest answer."""
    send_seed: bool = True
    """Send each request's seed; switch off for servers that refuse it."""

    @model_validator(mode="after")
    def _can_be_reached_safely(self) -> Self:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("a base_url that begins with http:// or https:// and names a host")
        if parts.username or parts.password or parts.query:
            raise ValueError("a base_url without a name, password or query: use `api_key`")
        return self

    @property
    def described(self) -> str:
        """Where rows go, for people."""
        return f"{self.model} at {self.base_url}"


class LocalConfig(Section):
    """A model on this machine, run by transformers in batches."""

    kind: Literal["local"] = "local"
    """A model in this process."""
    path: str
    """A model directory (relative to the recipe), a hub name, or `builtin`."""
    revision: str | None = None
    """Hub names only."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Precision; `auto`: float32 on a CPU, bfloat16 on a GPU that has it."""
    batch_rows: int = Field(default=32, ge=1, le=1024)
    """Prompts answered together; more is faster until memory ends."""
    price: Price = FREE
    """Of a million tokens, where you count your machine's time; free by default."""

    @property
    def described(self) -> str:
        """Where rows go, for people."""
        return f"{self.path} on this machine"


class VllmConfig(Section):
    """A model on this machine, run by vLLM in this process, on one NVIDIA GPU."""

    kind: Literal["vllm"]
    """vLLM in this process; needs `pip install 'welltempered[vllm]'`."""
    path: str
    """A model directory (relative to the recipe), a hub name, or `builtin`. Whole models only: an
    adapter is merged first (`temper export --to merged`)."""
    revision: str | None = None
    """Hub names only."""
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    """Precision; `auto`: that of the weights, and of float32 weights half of it."""
    batch_rows: int = Field(default=256, ge=1, le=8192)
    """Prompts handed to vLLM in one call and answered side by side, as far as memory allows."""
    gpu_memory_utilization: float = Field(default=0.9, gt=0.0, le=1.0)
    """Share of the GPU's memory for weights and cache; taken at once, and held."""
    max_model_len: int | None = Field(default=None, ge=16)
    """Most tokens of prompt and answer together; less than the model reads saves memory."""
    response_format: Literal["none", "json_schema"] = "json_schema"
    """Whether replies that must be JSON can take no other form. `none`: for models that think
    aloud first."""
    price: Price = FREE
    """Of a million tokens, where you count your machine's time; free by default."""

    @property
    def described(self) -> str:
        """Where rows go, for people."""
        return f"{self.path} on this machine, by vLLM"


def _told_apart(value: Any) -> Any:
    """Tell the kind from the keys, so that it need not be written."""
    if isinstance(value, dict) and "kind" not in value:
        return {"kind": "local" if "path" in value else "endpoint", **value}
    return {"kind": "local", "path": value} if isinstance(value, str) else value


AnyBackend = EndpointConfig | LocalConfig | VllmConfig
"""Every kind of backend."""
BackendConfig = Annotated[AnyBackend, Field(discriminator="kind"), BeforeValidator(_told_apart)]
