"""What `auto` chooses of the levers of speed, each with its reason: pure functions of the recipe,
the model and the machine.

A lever that is asked for and cannot work here is refused, with what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from train.plan.facts import ModelFacts
from train.plan.machine import Machine
from train.plan.settings import Decided
from train.recipe import TrainSection
from workspace.errors import ModelError, UsageError

FLASH = {"flash_attn": "flash_attention_2", "kernels": "kernels-community/flash-attn2"}
"""Package → what transformers calls its attention."""
_LARGE = 100_000_000
_FEW_SHAPES = 8


@dataclass(frozen=True)
class Question:
    """What the levers depend on."""

    section: TrainSection
    facts: ModelFacts
    machine: Machine
    weights: str = "auto"
    """`model.dtype`."""


def decide(question: Question) -> dict[str, Decided]:
    """Return every lever but `compile`, which waits for the shapes of the micro-batches.

    Raises:
        UsageError: a lever that this machine or installation does not have.
        ModelError: packing, and a model that does not keep packed rows apart.
    """
    attention_chosen = attention(question)
    packing_chosen = packing(question, attention_chosen)
    return {
        "precision": precision(question),
        "weights": weights(question),
        "attention": attention_chosen,
        "packing": packing_chosen,
        "padding_free": padding_free(question, attention_chosen, packing_chosen),
        "checkpointing": checkpointing(question),
        "offload": offload(question),
        "kernels": kernels(question),
        "fused": fused(question),
    }


def precision(question: Question) -> Decided:
    """Return the arithmetic."""
    machine, asked = question.machine, question.section.precision
    if asked != "auto":
        return Decided(asked, "recipe")
    if machine.has_bfloat16:
        return Decided("bfloat16", f"{machine.gpu} computes in bfloat16")
    if machine.gpu:
        return Decided("float32", f"{machine.gpu} has no bfloat16")
    return Decided("float32", "no GPU; float32 is exact and fastest on most CPUs")


def weights(question: Question) -> Decided:
    """Return what the model's weights are held in."""
    if question.weights != "auto":
        return Decided(question.weights, "model.dtype")
    if question.machine.gpu is None or precision(question).value != "bfloat16":
        return Decided("float32", "as they are computed with")
    if question.section.adapter.needs_exact_weights:
        return Decided("float32", "weights that are changed lose small updates in bfloat16")
    return Decided("bfloat16", "frozen under an adapter: half the memory, read twice as fast")


def attention(question: Question) -> Decided:
    """Return how attention is computed; `default` is what transformers takes for the model."""
    asked, machine = question.section.speed.attention, question.machine
    if asked in ("sdpa", "eager"):
        return Decided(asked, "recipe")
    missing = _flash_lacks(question)
    if asked == "flash":
        if missing:
            raise UsageError(
                "flash attention cannot be used here",
                where="train.speed.attention",
                cause=f"It needs {missing}.",
                cure="Leave attention out.",
            )
        return Decided(_flash(machine), "recipe")
    if question.section.method.kind != "sft":
        return Decided("default", "flash is taken for packed rows, which are for sft")
    if missing:
        return Decided("default", f"flash needs {missing}")
    return Decided(_flash(machine), "nothing is computed between rows, nor for padding")


def _flash(machine: Machine) -> str:
    return next(FLASH[name] for name in FLASH if name in machine.packages)


def _flash_lacks(question: Question) -> str:
    machine = question.machine
    if machine.gpu is None:
        return "a GPU"
    if not machine.has_bfloat16:
        return f"a GPU of 2020 or later, and {machine.gpu} is older"
    if precision(question).value != "bfloat16":
        return "bfloat16, and train.precision is float32"
    if not machine.has_flash:
        return "a package that is not installed: pip install kernels"
    return ""


def packing(question: Question, attention: Decided) -> Decided:
    """Return whether rows share a sequence."""
    section, mixes = question.section, question.facts.mixes_packed_rows
    if section.packing == "bfd":
        _demand_apart(mixes, "packing", "rows of this model cannot be packed")
        return Decided("bfd", "recipe")
    if section.packing == "off":
        return Decided("off", "recipe")
    if section.method.kind != "sft":
        return Decided("off", "only for sft")
    if section.neftune is not None:
        return Decided("off", "neftune's noise depends on the length of a sequence")
    if section.tempering.kl is not None:
        return Decided("off", "the distance from the base is measured row by row")
    if mixes:
        return Decided("off", mixes)
    if attention.value in FLASH.values():
        return Decided("bfd", "rows fill sequences, and flash attention keeps them apart")
    return Decided(
        "off",
        "without flash attention a sequence costs the square of its length, whatever is in it",
    )


def padding_free(question: Question, attention: Decided, packing: Decided) -> Decided:
    """Return whether the rows of a micro-batch lie one after the other, without padding."""
    section, mixes = question.section, question.facts.mixes_packed_rows
    is_flash = attention.value in FLASH.values()
    if section.padding_free == "on":
        _demand_apart(mixes, "padding_free", "rows of this model cannot lie in one sequence")
        return Decided("on", "recipe")
    if section.padding_free == "off":
        if packing.value == "bfd" and is_flash:
            raise UsageError(
                "packed rows cannot be padded with flash attention",
                where="train.padding_free",
                cause="It keeps packed rows apart only where they lie in one sequence.",
                cure="Leave padding_free out, or use train.speed.attention: sdpa.",
            )
        return Decided("off", "recipe")
    if packing.value == "bfd" and is_flash:
        return Decided("on", "packed rows, which flash attention keeps apart in one sequence")
    if section.method.kind != "sft":
        return Decided("off", "only for sft")
    alone = section.neftune is not None or section.tempering.kl is not None
    if not is_flash or mixes or alone:
        return Decided("off", mixes or "as packing: " + str(packing.reason))
    return Decided("on", "flash attention computes nothing between rows")


def _demand_apart(mixes: str, key: str, title: str) -> None:
    """Refuse what puts rows into one sequence, where the model would mix them."""
    if mixes:
        raise ModelError(
            title,
            where=f"train.{key}",
            cause=f"{mixes}: a row would read the one before it.",
            cure=f"Use {key}: off.",
        )


def checkpointing(question: Question) -> Decided:
    """Return what the forward pass does not keep."""
    section = question.section
    if section.speed.checkpointing != "auto":
        return Decided(section.speed.checkpointing, "recipe")
    if question.machine.gpu is None:
        return Decided("off", "a CPU has the memory, and computing again takes a third longer")
    if question.facts.parameters <= _LARGE:
        return Decided("off", "a model below 100 M parameters fits without")
    return Decided("full", "what layers keep is most of the memory of a model above 100 M")


def offload(question: Question) -> Decided:
    """Return whether activations wait in the CPU's memory."""
    asked = question.section.speed.offload
    if asked == "off":
        return Decided("off", "recipe")
    if asked == "auto":
        return Decided("off", "slower; for when a row does not fit without")
    if question.machine.gpu is None:
        raise UsageError(
            "activations cannot be offloaded without a GPU",
            where="train.speed.offload",
            cause="They are in the CPU's memory already.",
            cure="Leave offload out.",
        )
    return Decided("on", "recipe")


def kernels(question: Question) -> Decided:
    """Return whether layers are replaced by the hub's kernels."""
    asked, machine = question.section.speed.kernels, question.machine
    if asked != "on":
        reason = "recipe" if asked == "off" else "fetched code that computes: only when asked for"
        return Decided("off", reason)
    if machine.gpu is None or "kernels" not in machine.packages:
        raise UsageError(
            "the hub's kernels cannot be used here",
            where="train.speed.kernels",
            cause="They need a GPU." if machine.gpu is None else "`kernels` is not installed.",
            cure="Leave kernels out." if machine.gpu is None else "pip install kernels",
        )
    return Decided("on", "recipe")


def fused(question: Question) -> Decided:
    """Return whether AdamW's operations are one kernel."""
    if question.section.optimizer != "adamw":
        return Decided("off", f"{question.section.optimizer} has its own way")
    if question.section.speed.fused == "off":
        return Decided("off", "recipe")
    return Decided("on", "recipe" if question.section.speed.fused == "on" else "equal to rounding")


def compile_model(question: Question, shapes: int) -> Decided:
    """Return whether the model is compiled.

    Args:
        question: what it depends on.
        shapes: different shapes of micro-batches over the run.

    Raises:
        UsageError: there is nothing to compile with.
    """
    asked, machine = question.section.speed.compile, question.machine
    lacks = "a C compiler" if not machine.has_compiler else ""
    if machine.gpu and "triton" not in machine.packages:
        lacks = "triton"
    if asked == "on":
        if lacks:
            raise UsageError(
                "torch.compile cannot work here",
                where="train.speed.compile",
                cause=f"It needs {lacks}.",
                cure="Leave compile out.",
            )
        return Decided("on", "recipe")
    if asked == "off":
        return Decided("off", "recipe")
    if machine.gpu is None or question.facts.parameters <= _LARGE:
        return Decided("off", "it pays for a model above 100 M parameters on a GPU")
    if lacks:
        return Decided("off", f"it needs {lacks}")
    if shapes > _FEW_SHAPES:
        return Decided("off", f"micro-batches have {shapes:,} shapes, each to be compiled for")
    return Decided("off", f"worth a try: micro-batches have {shapes} shapes in all")
