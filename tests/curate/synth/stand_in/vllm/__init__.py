"""In place of vLLM: the calls of 0.33.0 that are made, answered by our own engine.

Names, defaults and what is positional are those of `vllm/entrypoints/llm.py`, `sampling_params.py`
and `outputs.py`; what real vLLM takes beside them is left out, so that passing it fails here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evalsuite.asking.backends.sampling import SamplingEngine
from evalsuite.asking.requests import ChatRequest
from evalsuite.models import ChatTokenizer
from vllm.sampling_params import SamplingParams

SIZES: list[int] = []
"""How many prompts each call brought that was answered."""
SETTINGS: list[dict[str, Any]] = []
"""What each model was loaded with."""
FITS_NO_LONGER = 0
"""So many answered calls before the engine breaks; 0: never."""
REFUSED = "refuse me"


@dataclass
class CompletionOutput:
    """What is read of one."""

    index: int
    text: str
    token_ids: Sequence[int]
    finish_reason: str | None = None
    stop_reason: int | str | None = None


@dataclass
class RequestOutput:
    """What is read of one."""

    request_id: str
    prompt_token_ids: list[int] | None
    outputs: list[CompletionOutput]
    finished: bool = True


class LLM:
    """Answers as the model does, so that a test can compare."""

    def __init__(
        self,
        model: str,
        *,
        trust_remote_code: bool = False,
        dtype: str = "auto",
        seed: int = 0,
        gpu_memory_utilization: float = 0.92,
        **kwargs: Any,
    ) -> None:
        unknown = set(kwargs) - {"max_model_len", "max_num_seqs", "generation_config"}
        assert not unknown and isinstance(model, str) and not trust_remote_code
        assert os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
        assert os.environ["VLLM_LOGGING_STREAM"] == "ext://sys.stderr"
        if gpu_memory_utilization > 0.99:
            raise ValueError("Free memory on device cuda:0 (1/80 GiB) is less than desired")
        SETTINGS.append({"model": model, "dtype": dtype, **kwargs})
        self.tokenizer = ChatTokenizer.from_dir(Path(model))
        self.engine = SamplingEngine.load(Path(model), self.tokenizer, "float32")
        self.alive = True
        self.llm_engine = SimpleNamespace(engine_core=SimpleNamespace(shutdown=self._shutdown))

    def _shutdown(self, timeout: float | None = None) -> None:
        self.alive = False

    def generate(
        self,
        prompts: Any,
        sampling_params: Any = None,
        *,
        use_tqdm: bool | Callable[..., Any] = True,
        lora_request: Any = None,
    ) -> list[RequestOutput]:
        """Answer all, in the order of the prompts; one that is refused refuses the call."""
        assert self.alive and not use_tqdm and len(prompts) == len(sampling_params)
        for prompt in prompts:
            if REFUSED in self.tokenizer.decode(prompt["prompt_token_ids"]):
                raise ValueError("this request is refused")
        if FITS_NO_LONGER and len(SIZES) >= FITS_NO_LONGER:
            raise RuntimeError("EngineCore encountered an issue")
        SIZES.append(len(prompts))
        return [
            RequestOutput(str(place), prompt["prompt_token_ids"], [self._one(prompt, params)])
            for place, (prompt, params) in enumerate(zip(prompts, sampling_params, strict=True))
        ]

    def _one(self, prompt: dict[str, Any], params: SamplingParams) -> CompletionOutput:
        form = params.structured_outputs
        if form is not None:
            wanted = json.loads(form.json)["properties"]
            text = json.dumps({name: f"some {name}" for name in wanted})
            return self._told([*self.tokenizer.encode(text), params.stop_token_ids[0]], "stop")
        request = ChatRequest(
            (), params.temperature, params.top_p, int(params.max_tokens or 0), params.seed
        )
        (drawn,) = self.engine.draw([(request, prompt["prompt_token_ids"])])
        ends = [params.stop_token_ids[0]] if drawn.stopped else []  # vLLM gives it with the rest
        return self._told([*drawn.tokens, *ends], "stop" if drawn.stopped else "length")

    def _told(self, tokens: list[int], why: str) -> CompletionOutput:
        return CompletionOutput(0, "", tokens, why)  # no text: not asked to detokenize
