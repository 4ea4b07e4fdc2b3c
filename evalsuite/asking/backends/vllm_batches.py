"""A model on this machine, by vLLM in this process. Imports vLLM, and with it torch, late.

vLLM is given token ids and gives token ids: its own chat templates and defaults of sampling play
no part, so that a prompt is the same as in training and evaluation.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evalsuite.asking.backends.base import AttemptFailed
from evalsuite.asking.backends.batched import Asked, BatchedBackend, Drawn
from evalsuite.asking.backends.configs import VllmConfig
from evalsuite.asking.requests import ChatRequest, Usage
from workspace.errors import WorkError
from workspace.text import plain

_SETTINGS = {
    # In a process of its own the engine would die of the Ctrl-C that asks for a gentle stop.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # Standard output is for results.
    "VLLM_LOGGING_STREAM": "ext://sys.stderr",
}
_SHOWN = 300


class VllmBackend(BatchedBackend):
    """Hands all requests that wait to vLLM in one call, which batches them as they come and go."""

    def __init__(self, config: VllmConfig, base_dir: Path) -> None:
        super().__init__(config, base_dir, context=config.max_model_len or 0)
        self.config = config
        self._llm: Any = None
        # CUDA's current device is of a thread: load and work in one and the same.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="vllm")

    async def draw(self, batch: Sequence[Asked]) -> Sequence[Drawn | AttemptFailed]:
        """Answer every request of a batch, in order; one that vLLM refuses costs only itself.

        Raises:
            WorkError: vLLM cannot start, or broke.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._draw, batch)

    def _draw(self, batch: Sequence[Asked]) -> list[Drawn | AttemptFailed]:
        if self._llm is None:
            self._llm = self._load()
        try:
            found = self._llm.generate(
                [{"prompt_token_ids": prompt} for _, prompt in batch],
                [self._parameters(request) for request, _ in batch],
                use_tqdm=False,
            )
        except ValueError as error:  # a request is refused before any of the call is begun
            if len(batch) == 1:
                return [AttemptFailed("rejected", _said(error), used=Usage())]
            middle = len(batch) // 2
            return self._draw(batch[:middle]) + self._draw(batch[middle:])
        except Exception as error:
            raise self._broken("vLLM broke while it answered", error) from error
        return [self._answer(one.outputs[0]) for one in found]

    def _load(self) -> Any:
        for name, value in _SETTINGS.items():
            os.environ.setdefault(name, value)
        try:
            import vllm

            return vllm.LLM(
                model=str(self.path),
                dtype=self.config.dtype,
                seed=0,
                gpu_memory_utilization=self.config.gpu_memory_utilization,
                max_model_len=self.config.max_model_len,
                max_num_seqs=self.config.batch_rows,
                generation_config="vllm",
            )
        except Exception as error:
            raise self._broken("vLLM cannot start with this model", error) from error

    def _parameters(self, request: ChatRequest) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        form = None
        if request.form and self.config.response_format == "json_schema":
            form = StructuredOutputsParams(json=request.form[1])
        return SamplingParams(
            temperature=request.temperature,
            top_p=request.top_p,
            max_tokens=request.max_tokens,
            seed=request.sent_seed,
            stop_token_ids=sorted(self.tokenizer.eos_ids),
            detokenize=False,
            structured_outputs=form,
        )

    def _answer(self, output: Any) -> Drawn:
        tokens = tuple(int(token) for token in output.token_ids)
        if tokens and tokens[-1] in self.tokenizer.eos_ids:
            tokens = tokens[:-1]
        return Drawn(tokens, stopped=output.finish_reason != "length")

    def _broken(self, title: str, error: BaseException) -> WorkError:
        return WorkError(
            title,
            where=self.described,
            cause=f"{_said(error)}.",
            cure="What was answered is kept. Lower gpu_memory_utilization, batch_rows or "
            "max_model_len if memory is short, and the same command goes on.",
        )

    def let_go(self) -> None:
        """Free the weights and the cache."""
        if self._llm is not None:
            self._thread.submit(self._llm.llm_engine.engine_core.shutdown).result()
            self._llm = None
        self._thread.shutdown()


def _said(error: BaseException) -> str:
    return plain(" ".join(f"{type(error).__name__}: {error}".split()))[:_SHOWN].rstrip(".")
