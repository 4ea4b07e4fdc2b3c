"""Loading weights. Imports torch: import it late."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSequenceClassification,
)
from transformers.utils import logging as transformers_logging

from evalsuite.models.section import Quantization
from evalsuite.models.source import check_model_directory
from evalsuite.models.vision import reads_images
from workspace.errors import ModelError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


_MISSING_KEYS = "missing adapter keys"
"""What peft warns of, and only warns, when an adapter's file lacks some of its weights."""
_SHOWN = 300
_HEAD = "score.weight"
"""What transformers calls the output of a decoder that classifies."""


class Placement(NamedTuple):
    """Where and in which precision a model works, and why."""

    device: str
    dtype: str
    reason: str


def choose_placement(dtype: str = "auto") -> Placement:
    """Return the device and precision for this machine.

    Args:
        dtype: `auto`, `float32` or `bfloat16`, as the recipe says.
    """
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        if dtype != "auto":
            return Placement("cuda", dtype, f"{name}; the recipe asks for {dtype}")
        if torch.cuda.is_bf16_supported():
            return Placement("cuda", "bfloat16", f"{name} computes in bfloat16")
        return Placement("cuda", "float32", f"{name} has no bfloat16")
    if dtype != "auto":
        return Placement("cpu", dtype, f"no GPU; the recipe asks for {dtype}")
    return Placement("cpu", "float32", "no GPU; float32 is exact and fastest on most CPUs")


def load_model(
    path: Path,
    *,
    dtype: str = "float32",
    device: str = "cpu",
    quantization: Quantization | None = None,
    attention: str | None = None,
    kernels: bool = False,
) -> PreTrainedModel:
    """Load a causal language model, with its vision tower if it is one of the vision-language
    models known here, in evaluation mode. Never runs code from the model.

    Args:
        path: its directory.
        dtype: of the weights that are not quantised.
        device: where it works.
        quantization: hold the linear layers so, all but the output matrix.
        attention: as transformers names it; None: what it takes for the model.
        kernels: replace layers by the hub's fused ones.

    Raises:
        ModelError: not a model, damaged weights, an architecture this transformers does not
            know, or bitsandbytes is needed and not installed.
    """
    options = _quantised(device) if quantization else {}
    if attention:
        options["attn_implementation"] = attention
    if kernels:
        options["use_kernels"] = True
    auto: Any = AutoModelForImageTextToText if reads_images(path) else AutoModelForCausalLM
    model, _ = _loaded(auto, path, dtype, "a causal language model", options)
    if quantization:
        _leave_unpacked(model)
        return model
    return model.to(device)  # type: ignore[no-any-return, arg-type]


def load_image_processor(path: Path) -> Any:
    """Load what makes pixels of a vision-language model's images.

    Always the one that works with PIL: that of torchvision gives slightly other pixels, and a run
    would depend on what is installed.

    Raises:
        ModelError: there is none, or a damaged one.
    """
    from transformers import AutoImageProcessor

    auto: Any = AutoImageProcessor
    try:
        return auto.from_pretrained(path, backend="pil", local_files_only=True)
    except (ImportError, OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            "this model's image processor cannot be loaded",
            where=str(path),
            cause=_said(error),
            cure="Copy preprocessor_config.json and processor_config.json from the same model.",
        ) from error


def _quantised(device: str) -> dict[str, Any]:
    """Return how transformers is told to load a model in NF4."""
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise ModelError(
            "4-bit weights need bitsandbytes, which is not installed",
            cure="pip install 'bitsandbytes>=0.46,<1'",
        )
    config = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return {"quantization_config": config, "device_map": {"": device}}


def _leave_unpacked(model: PreTrainedModel) -> None:
    """Keep the quantised layers as they were trained on while they are evaluated.

    On a processor that multiplies bf16, bitsandbytes (0.50) packs a layer anew at its first
    evaluation: it rounds the scales to bf16, so that one model gives other numbers in training
    than in evaluation, and fails on layers that are narrower than a block of 64 weights.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def load_reward_model(
    path: Path, *, dtype: str = "float32", device: str = "cpu"
) -> PreTrainedModel:
    """Load a sequence classification model with one label in evaluation mode.

    Raises:
        ModelError: not a model, damaged weights, several labels, or no trained head: transformers
            would draw one at random and only warn.
    """
    model, missing = _loaded(
        AutoModelForSequenceClassification, path, dtype, "a sequence classification model"
    )
    if missing or model.config.num_labels != 1:
        raise ModelError(
            "this is no reward model",
            where=str(path),
            cause=f"Its weights lack {', '.join(missing[:3])}."
            if missing
            else f"It has {model.config.num_labels} labels; a reward is one number.",
            cure="Give the directory of a sequence classification model with one label "
            "(num_labels=1).",
        )
    return model.to(device)  # type: ignore[no-any-return, arg-type]


def load_with_reward_head(
    path: Path, *, seed: int, dtype: str = "float32", device: str = "cpu"
) -> PreTrainedModel:
    """Load a language model with one number as its output in place of the vocabulary's.

    The head of a model that has none is drawn from N(0, 1 / (hidden size + 1)), as by Stiennon et
    al. 2020 (arXiv 2009.01325, appendix B.1); a reward model keeps its own.

    Args:
        path: of a decoder's directory, or a reward model's.
        seed: of the head.
        dtype: of the weights.
        device: to put them on.

    Raises:
        ModelError: not a model, damaged weights, an architecture without such a head, or one
            with several labels.
    """
    model, missing = _loaded(
        AutoModelForSequenceClassification,
        path,
        dtype,
        "a decoder with a version for sequence classification",
        {"num_labels": 1},
    )
    head = getattr(model, "score", None)
    if not isinstance(head, torch.nn.Linear) or not set(missing) <= {_HEAD}:
        raise ModelError(
            "a reward model cannot be made of this model",
            where=str(path),
            cause=f"Its weights lack {', '.join(missing[:3])}, not just the head {_HEAD}.",
            cure="Use a decoder such as Llama, Qwen, Mistral or Gemma.",
        )
    if missing:
        values = torch.randn(head.weight.shape, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            head.weight.copy_(values / (head.in_features + 1) ** 0.5)
    return model.to(device)  # type: ignore[no-any-return, arg-type]


def _loaded(
    auto: Any, path: Path, dtype: str, what: str, options: Mapping[str, Any] | None = None
) -> tuple[PreTrainedModel, list[str]]:
    """Return a model in evaluation mode, and the names of weights that its files lack."""
    check_model_directory(path)
    try:
        model, report = auto.from_pretrained(
            path,
            dtype=getattr(torch, dtype),
            trust_remote_code=False,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            **(options or {}),
        )
    except SafetensorError as error:
        raise _damaged(path, error) from error
    except (ImportError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(
            "this model cannot be loaded",
            where=str(path),
            cause=_said(error),
            cure=f"Check that it is {what} that this transformers knows.",
        ) from error
    model.eval()
    return model, sorted(report["missing_keys"])


def load_adapter(model: PreTrainedModel, path: Path) -> PeftModel:
    """Put a saved adapter on a base model, in evaluation mode.

    Raises:
        ModelError: the directory holds no adapter, a damaged or incomplete one, or one for
            another model.
    """
    from peft import PeftModel

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (path / name).is_file():
            raise ModelError(
                "there is no whole adapter here",
                where=str(path),
                cause=f"It has no {name}.",
                cure="Copy it again, or train it again.",
            )
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            tuned = PeftModel.from_pretrained(model, path, is_trainable=False)
    except SafetensorError as error:
        raise _damaged(path, error) from error
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise ModelError(
            "this adapter does not fit the model",
            where=str(path),
            cause=str(error).split("\n")[0],
            cure="Evaluate it on the base it was trained from.",
        ) from error
    missing = [str(one.message) for one in warned if _MISSING_KEYS in str(one.message)]
    if missing:
        raise ModelError(
            "this adapter is incomplete",
            where=str(path),
            cause=f"{missing[0][:_SHOWN]} What is missing would work as if it were not trained.",
            cure="Copy or publish it again, or evaluate it on the base it was trained from.",
        )
    tuned.eval()
    return tuned


def _said(error: Exception) -> str:
    if "ignore_mismatched_sizes" in str(error):  # the library's own report went to its log
        return "The shapes in config.json are not those of the weights."
    return str(error).split("\n")[0]


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        "these weights are damaged",
        where=str(path),
        cause=f"{error}.",
        cure="Copy or download them again; a file is shorter than it says, or is no safetensors.",
    )


def choose_threads(parameters: int) -> tuple[int, str]:
    """Return how many CPU threads a model of this size should use, and why.

    Small matrices cost more to share out than to multiply: one thread was 3 to 6 times faster
    than two for models of a few million parameters.
    """
    import psutil

    cores = psutil.cpu_count(logical=False) or 1
    if parameters < 20_000_000:
        return 1, f"{parameters / 1e6:.1f} M parameters: one thread is fastest"
    return cores, f"{cores} physical cores"
