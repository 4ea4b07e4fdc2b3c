"""Any tuner of the installed peft: its options checked, its weights counted without weights.

Run as a module it answers for a process that has not loaded torch: a JSON question on standard
input, a JSON answer on standard output.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workspace.problems import did_you_mean, short

if TYPE_CHECKING:
    from peft import PeftConfig

OURS = frozenset(
    {
        "task_type",
        "peft_type",
        "auto_mapping",
        "peft_version",
        "base_model_name_or_path",
        "revision",
        "inference_mode",
        "total_step",
        "runtime_config",
    }
)
"""Options that follow from the run."""
_TOKENS_IN_FRONT = (
    "it puts made-up tokens before the prompt instead of adapting the weights, so that positions, "
    "context and the base's own answers would differ"
)
REFUSED = {
    "LORA": "use `kind: lora`, whose keys are checked one by one",
    "TRAINABLE_TOKENS": "use `trainable_tokens` of `kind: lora`",
    "PROMPT_TUNING": _TOKENS_IN_FRONT,
    "MULTITASK_PROMPT_TUNING": _TOKENS_IN_FRONT,
    "P_TUNING": _TOKENS_IN_FRONT,
    "PREFIX_TUNING": _TOKENS_IN_FRONT,
    "CPT": _TOKENS_IN_FRONT,
    "CARTRIDGE": _TOKENS_IN_FRONT,
    "ADAPTION_PROMPT": _TOKENS_IN_FRONT,
    "XLORA": "it mixes adapters that must be trained before",
    "POLY": "it wants the number of a task with every row",
    "SHADOW": "it needs a forward pass of its own, which the losses do not make",
    "ADAMSS": "it is made from the weights themselves, so nothing of it is known beforehand",
    "FROD": "it is made from the weights themselves, so nothing of it is known beforehand",
}
"""Tuners that cannot be used here, with the reason."""
_OWN_TARGETS = ("IA3", "LN_TUNING")


@dataclasses.dataclass(frozen=True)
class TunerAnswer:
    """What peft says of a tuner on a model."""

    trainable: int = 0
    problem: str = ""
    """Empty if it fits."""
    cause: str = ""
    cure: str = ""
    option: str = ""
    """The option that is meant, if one is."""


def configs() -> Mapping[str, type[PeftConfig]]:
    """Return the config class of each tuner that the installed peft has."""
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    return {str(kind.value): cls for kind, cls in PEFT_TYPE_TO_CONFIG_MAPPING.items()}


def tuner_config(name: str, options: Mapping[str, Any], *, total_steps: int) -> PeftConfig:
    """Return peft's config; what follows from the run is filled in."""
    cls = configs()[name]
    fields = {field.name for field in dataclasses.fields(cls)}
    given: dict[str, Any] = {"task_type": "CAUSAL_LM", **options}
    if name not in _OWN_TARGETS and "target_modules" in fields:
        given.setdefault("target_modules", "all-linear")
    if "total_step" in fields:
        given["total_step"] = total_steps
    return cls(**given)


def examine(name: str, options: Mapping[str, Any], model: Path, *, total_steps: int) -> TunerAnswer:
    """Check a tuner's options and count what it trains on a model that is never loaded."""
    problem = next(_problems(name, options), None)
    if problem is not None:
        return problem
    try:
        config = tuner_config(name, options, total_steps=total_steps)
        return TunerAnswer(trainable=_count(config, model))
    except Exception as error:  # peft's checks raise whatever they like
        said = str(error).strip().split("\n")[0] or type(error).__name__
        return TunerAnswer(
            problem=f"peft does not put {name} on this model",
            cause=said[:400],
            cure="Change its options; peft's documentation of the tuner names their limits.",
        )


def _problems(name: str, options: Mapping[str, Any]) -> Iterator[TunerAnswer]:
    known = configs()
    if name in REFUSED:
        yield TunerAnswer(problem=f"{name} cannot be used here", cause=f"{REFUSED[name]}.")
    if name not in known:
        names = sorted(set(known) - set(REFUSED))
        yield TunerAnswer(
            problem=f"the installed peft has no tuner {name}",
            cause=f"It has {', '.join(names)}.",
            cure=did_you_mean(name, names),
        )
        return
    hints = typing.get_type_hints(known[name])
    fields = [one.name for one in dataclasses.fields(known[name]) if one.init]
    allowed = sorted(set(fields) - OURS)
    for option, value in options.items():
        if option in OURS:
            yield TunerAnswer(
                option=option,
                problem=f"{option} is not yours to give",
                cause="It follows from the run.",
                cure="Leave it out.",
            )
        elif option not in allowed:
            yield TunerAnswer(
                option=option,
                problem=f"{name} has no option {option}",
                cause=f"It has {', '.join(allowed)}.",
                cure=did_you_mean(option, allowed),
            )
        elif (why := _mismatch(hints[option], value)) is not None:
            yield TunerAnswer(option=option, problem=f"{option} is of the wrong type", cause=why)


def _mismatch(hint: Any, value: Any) -> str | None:
    """Return what is wrong with a value for a type, None if it fits."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True))
        # YAML has lists where peft says tuple or set.
        adapter.validate_python(value, strict=not isinstance(value, list | dict))
    except (PydanticUserError, PydanticSchemaGenerationError):
        return None  # a class of peft's own, which its config checks
    except ValidationError:
        wanted = str(hint).replace("typing.", "").replace("NoneType", "null")
        wanted = hint.__name__ if isinstance(hint, type) else wanted
        return f"Found {short(value)}; peft says {wanted}."
    return None


def _count(config: PeftConfig, model: Path) -> int:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    described = AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        empty: Any = AutoModelForCausalLM.from_config(described)  # type: ignore[no-untyped-call]
    empty.requires_grad_(False)
    given: Any = config
    if config.peft_type == "SHIRA":
        # SHiRA draws where it changes a matrix, which cannot be done without weights; it changes
        # as many as LoRA of this rank has.
        _check_sparse(empty, given.r)
        given = LoraConfig(
            r=given.r, target_modules=given.target_modules, modules_to_save=given.modules_to_save
        )
    adapted: Any = get_peft_model(empty, given)
    return sum(
        parameter.numel()
        for name, parameter in adapted.named_parameters()
        # AdaLoRA's count of its rank loses its mark of being frozen on the meta device
        if parameter.requires_grad and ".ranknum." not in name
    )


def _check_sparse(model: Any, rank: int) -> None:
    for name, module in model.named_modules():
        if type(module).__name__ == "Linear" and not name.endswith("lm_head"):
            inputs, outputs = module.in_features, module.out_features
            if rank * (inputs + outputs) > inputs * outputs:
                raise ValueError(
                    f"r: {rank} means {rank * (inputs + outputs):,} changed weights in {name}, "
                    f"which has {inputs * outputs:,}"
                )


def main() -> None:
    """Answer one question."""
    import warnings

    warnings.simplefilter("ignore")
    asked = json.load(sys.stdin)
    answer = examine(
        asked["tuner"], asked["options"], Path(asked["model"]), total_steps=asked["total_steps"]
    )
    print(json.dumps(dataclasses.asdict(answer)))


if __name__ == "__main__":
    main()
