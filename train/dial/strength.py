"""Setting how strong a tuned model is, in place: no weight is loaded twice. Imports torch and peft.

At scale s every weight that training changed is base + s (tuned - base). Of a low-rank adapter
only B is scaled, W + s c B A; of what is trained beside it (token rows, whole modules, biases) the
weights themselves, as for full fine-tuning (WiSE-FT, Wortsman et al., arXiv 2109.01903). So scale 0
is the base and scale 1 the tuned model, and what is written out at s is what was measured at s.

DoRA's weights are m (W + s c B A) / |W + s c B A|: with B the lengths go from |W| to m. Its path
has the same two ends, but is no straight line between them.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from peft.utils.integrations import dequantize_module_weight
from peft.utils.other import ModulesToSaveWrapper, TrainableTokensWrapper
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from evalsuite.models.load import Placement, load_adapter, load_model
from evalsuite.models.source import check_model_directory
from train.dial.origin import WEIGHTS
from workspace.errors import ModelError

_SCALED = {
    "LORA": (".lora_B.", ".lora_embedding_B."),
    "ADALORA": (".lora_E.",),
    "IA3": (".ia3_l.",),
    "VERA": (".vera_lambda_b.",),
    "LOHA": (".hada_w1_a.",),
    "LOKR": (".lokr_w1.", ".lokr_w1_a."),
    "SHIRA": (".shira_weight.",),
    "FOURIERFT": (".fourierft_spectrum.",),
    "LN_TUNING": (),
}
"""Per tuner the parameters in which its effect on the weights is linear; the others stay."""
_NAME = "default"


def between(base: Tensor, tuned: Tensor, scale: float) -> Tensor:
    """Return base + scale (tuned - base) in the type of `tuned`; the ends are exact."""
    if scale in (0.0, 1.0):
        return (tuned if scale else base).to(tuned.dtype)
    first = base.to(torch.float32)
    return (first + scale * (tuned.to(torch.float32) - first)).to(tuned.dtype)


class Strength(Protocol):
    """A model in memory whose strength can be set."""

    model: PreTrainedModel
    """What answers."""

    def wear(self, path: Path) -> None:
        """Put the weights of another training state at the far end."""

    def set(self, scale: float) -> None:
        """Work at this share of the way from the base to the weights that are worn."""

    def save(self, directory: Path, path: Path, scale: float) -> None:
        """Write the weights at `scale` between the base and the training state at `path`."""


@dataclass
class _End:
    """A parameter that moves between two values."""

    parameter: Tensor
    base: Tensor
    tuned: Tensor


class AdapterStrength:
    """An adapter on its base."""

    def __init__(self, base: PreTrainedModel, path: Path, tuner: str) -> None:
        """Put the adapter at `path` on `base`, at full strength.

        Raises:
            ModelError: it does not fit, or something was trained beside it that has no half.
        """
        biases = [(p, p.detach().clone()) for n, p in base.named_parameters() if _is_bias(n)]
        self._tuned: Any = load_adapter(base, path)
        self._names = set(load_file(path / WEIGHTS))
        self.model = cast(PreTrainedModel, self._tuned.get_base_model())
        found = [*biases, *_ends(self._tuned, tuner)]
        unique = {id(parameter): (parameter, value) for parameter, value in found}
        for parameter, value in unique.values():
            if not parameter.is_floating_point():
                raise ModelError(
                    "this adapter cannot be dialled",
                    where=str(path),
                    cause="A module that was trained whole is held in 4 bits, which have no half.",
                    cure="Name other modules in `modules_to_save`.",
                )
            assert parameter.shape == value.shape
        self._ends = [_End(p, value, p.detach().clone()) for p, value in unique.values()]
        self._worn = path

    def wear(self, path: Path) -> None:
        """Put the weights of another training state of this adapter at the far end.

        Raises:
            ModelError: it has other weights than the adapter that was put on.
        """
        if path == self._worn:
            return
        saved = load_file(path / WEIGHTS)
        if set(saved) != self._names:
            raise ModelError("this checkpoint has other weights than the run", where=str(path))
        set_peft_model_state_dict(self._tuned, saved)
        for end in self._ends:
            end.tuned = end.parameter.detach().clone()
        self._worn = path

    def set(self, scale: float) -> None:
        """Work at this share of what was learnt."""
        with torch.no_grad():
            for end in self._ends:
                end.parameter.copy_(between(end.base, end.tuned, scale))
        for module in self.model.modules():
            if hasattr(module, "_cache_clear"):  # DoRA keeps lengths of the last strength
                cast(Any, module)._cache_clear()

    def save(self, directory: Path, path: Path, scale: float) -> None:
        """Write the adapter's weights; its config stays as it is."""
        self.wear(path)
        self.set(0.0)
        base = {name: one.detach().cpu().clone() for name, one in self._state().items()}
        self.set(1.0)
        tuned = self._state()
        saved = load_file(path / WEIGHTS)
        self._check_constant({n: one for n, one in saved.items() if n not in base}, path)
        moved = {n for n in base if not torch.equal(base[n], tuned[n].cpu())}
        written = {
            name: between(base[name], one, scale).contiguous() if name in moved else one
            for name, one in saved.items()
        }
        save_file(written, directory / WEIGHTS, metadata={"format": "pt"})

    def _check_constant(self, extra: Mapping[str, Tensor], path: Path) -> None:
        """Check that what a file has beside the adapter are weights of the base.

        peft saves an embedding that has an adapter whole, as it was.
        """
        held = dict(self._tuned.named_parameters())
        for name, one in extra.items():
            if name not in held or not torch.equal(held[name].cpu(), one.to(held[name].dtype)):
                raise ModelError(
                    "this adapter cannot be dialled",
                    where=str(path / WEIGHTS),
                    cause=f"It holds {name}, of which nothing is known here.",
                )

    def _state(self) -> dict[str, Tensor]:
        state = get_peft_model_state_dict(self._tuned, save_embedding_layers=False)
        return cast("dict[str, Tensor]", state)


def _ends(tuned: Any, tuner: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each parameter of an adapter that moves with its strength, and its value at 0."""
    marks = _SCALED[tuner]
    nothing = torch.ones_like if tuner == "IA3" else torch.zeros_like
    for name, parameter in tuned.named_parameters():
        if any(mark in name for mark in marks):
            yield parameter, nothing(parameter)
    for module in tuned.modules():
        if isinstance(module, ModulesToSaveWrapper):
            yield from _paired(module.modules_to_save[_NAME], module.original_module)
        elif isinstance(module, TrainableTokensWrapper):
            tokens: Any = module.token_adapter
            rows = tokens.get_base_layer().weight[tokens.token_indices[_NAME]]
            yield tokens.trainable_tokens_delta[_NAME], rows.detach().clone()
        elif _NAME in getattr(module, "ln_tuning_layers", ()):
            layers: Any = module.ln_tuning_layers
            yield from _paired(layers[_NAME], cast(Any, module).get_base_layer())
        elif _NAME in getattr(module, "lora_magnitude_vector", ()):
            yield _lengths(module)


def _paired(trained: Any, original: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the parameters of a module that was trained whole, with those it began from."""
    before = dict(original.named_parameters())
    for name, parameter in trained.named_parameters():
        yield parameter, before[name].detach().clone()


def _lengths(module: Any) -> tuple[Tensor, Tensor]:
    """Return DoRA's trained lengths, and those of the base's weights."""
    dora = module.lora_magnitude_vector[_NAME]
    if type(dora).__name__ != "DoraLinearLayer":
        raise ModelError(
            "this adapter cannot be dialled",
            cause=f"It has DoRA on a {type(module.get_base_layer()).__name__}; only on linear "
            "layers are the base's lengths known.",
        )
    weight = dequantize_module_weight(module.get_base_layer()).to(dora.weight.dtype)
    lengths = dora.get_weight_norm(weight, torch.zeros_like(_oriented(weight, dora)), 0.0)
    return dora.weight, lengths.detach().clone()


def _oriented(weight: Tensor, dora: Any) -> Tensor:
    return weight.T if dora.fan_in_fan_out else weight


def _is_bias(name: str) -> bool:
    return name.endswith(".bias")


class FullStrength:
    """A model of which all weights were trained: both ends and what works are held in memory."""

    def __init__(
        self, base: PreTrainedModel, base_path: Path, path: Path, where: Placement
    ) -> None:
        """Work at full strength between `base` and the model at `path`.

        Raises:
            ModelError: the two have other weights.
        """
        self.model = base
        self._base_path = base_path
        self._where = where
        self._base = _copied(base)
        self._tuned: Mapping[str, Tensor] = {}
        self._worn: Path | None = None
        self.wear(path)

    def wear(self, path: Path) -> None:
        """Put another training state of the model at the far end."""
        if path == self._worn:
            return
        self._tuned = {}
        self._tuned = _copied(load_model(path, dtype=self._where.dtype))
        _check_same(self._base, self._tuned, path)
        self._worn = path

    def set(self, scale: float) -> None:
        """Work at this share of the way."""
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(between(self._base[name], self._tuned[name], scale))

    def save(self, directory: Path, path: Path, scale: float) -> None:
        """Write whole weights, in the precision that the tuned ones have on disk."""
        self._tuned = {}
        self._worn = None
        config = check_model_directory(path)
        dtype = str(config.get("dtype") or config.get("torch_dtype") or "float32")
        model = load_model(path, dtype=dtype)
        base = dict(load_model(self._base_path, dtype="float32").named_parameters())
        _check_same(base, dict(model.named_parameters()), path)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(between(base[name], parameter, scale))
        model.save_pretrained(directory)
        del model, base
        gc.collect()


def _copied(model: PreTrainedModel) -> dict[str, Tensor]:
    """Return copies of a model's weights outside the device, where there is room for them."""
    return {name: one.detach().cpu().clone() for name, one in model.named_parameters()}


def _check_same(base: Mapping[str, Tensor], tuned: Mapping[str, Tensor], path: Path) -> None:
    if {n: one.shape for n, one in base.items()} != {n: one.shape for n, one in tuned.items()}:
        raise ModelError(
            "base and tuned model have other weights",
            where=str(path),
            cause="Between them there is no straight line: names or shapes differ.",
            cure="Dial a run with the base it was trained from.",
        )
