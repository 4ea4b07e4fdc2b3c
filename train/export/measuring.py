"""Measuring parity: the run, the run in the artefact's precision, the artefact. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from evalsuite.engine.requests import GenerateRequest
from evalsuite.engine.sides import Resident, free_memory
from evalsuite.models import ChatTokenizer
from evalsuite.models.context import context_length, vocabulary_size
from evalsuite.models.load import Placement, load_reward_model
from evalsuite.models.source import check_model_directory
from evalsuite.models.vision import as_parts
from train.export.base import Artefact, Options
from train.export.parity import FACTOR, Difference, Gap, Parity, decide
from train.export.prompts import Prompt, Prompts, choose_prompts
from train.export.reading import (
    TOGETHER,
    Answered,
    answer,
    gap,
    log_probabilities,
    run_engine,
)
from train.export.shipment import Shipment
from train.export.standing import Standing

_SHOWN = 5
_LEAST_REWARD = 1e-4
"""Logits; rewards are compared with each other in tenths."""


def measure_parity(
    shipment: Shipment, standing: Standing, artefact: Artefact, options: Options
) -> Parity:
    """Return how far the artefact is from the run.

    Args:
        shipment: the run.
        standing: names suites, whose items are prompts where there are no validation rows.
        artefact: what was written.
        options: with the device.
    """
    config = check_model_directory(shipment.base.path)
    prompts = choose_prompts(shipment, standing, context_length(config))
    if not prompts.prompts:
        return Parity("not measured", "There is no prompt to measure on.")
    differing = differing_ids(prompts.prompts, artefact)
    checked = "transformers" if artefact.tokenizer else ""
    if artefact.load is None:
        status = "fail" if differing else "not measured"
        why = f"{len(differing)} prompts get other token ids." if differing else ""
        return Parity(
            "fail" if differing else "not measured",
            why or artefact.why_not_loaded,
            prompts=len(prompts.prompts),
            source=prompts.source,
            ids_checked_with=checked,
            ids_differing=differing,
            notes=artefact.notes if status else (),
        )
    if shipment.is_reward:
        return _reward_parity(shipment, prompts, artefact, differing, options)
    return _Measuring(shipment, prompts, artefact, differing, options, config).run()


def differing_ids(prompts: Sequence[Prompt], artefact: Artefact) -> tuple[str, ...]:
    """Return the prompts that transformers tokenises otherwise with the artefact's own files."""
    if artefact.tokenizer is None:
        return ()
    from transformers import AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(artefact.tokenizer, local_files_only=True)
    takes_parts = ChatTokenizer.from_dir(artefact.tokenizer).takes_parts
    return tuple(
        prompt.name
        for prompt in prompts
        if prompt.messages is not None
        and _their_ids(tokenizer, prompt, takes_parts=takes_parts) != list(prompt.ids)
    )


def _their_ids(tokenizer: Any, prompt: Prompt, *, takes_parts: bool) -> list[int]:
    messages = prompt.messages or ()
    found = tokenizer.apply_chat_template(
        [dict(message) for message in (as_parts(messages) if takes_parts else messages)],
        tools=list(prompt.tools) or None,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
    )
    return [int(one) for one in found]


class _Measuring:
    def __init__(
        self,
        shipment: Shipment,
        prompts: Prompts,
        artefact: Artefact,
        differing: tuple[str, ...],
        options: Options,
        config: dict[str, Any],
    ) -> None:
        self.shipment, self.prompts, self.artefact = shipment, prompts, artefact
        self.differing, self.options = differing, options
        pad = shipment.tokenizer.pad_id or 0
        known = vocabulary_size(config)
        self.pad_id = pad if known is None or pad < known else 0

    def _placement(self, dtype: str) -> Placement:
        return Placement(self.options.device, dtype, "parity")

    def run(self) -> Parity:
        shipment, note = self.shipment, self.options.note
        note("parity: reading the run in float32")
        exact = self._placement("float32")
        with run_engine(shipment.subject, shipment.base, exact, self.pad_id) as engine:
            answered = answer(engine, self.prompts.prompts, shipment.tokenizer.eos_ids)
            ours = log_probabilities(engine, answered)
            same = self.artefact.precision == "float32"
            floor = gap(ours, log_probabilities(engine, answered, together=TOGETHER))
        if not same:
            note(f"parity: reading the run in {self.artefact.precision}")
            rounded = self._placement(self.artefact.precision)
            with run_engine(shipment.subject, shipment.base, rounded, self.pad_id) as engine:
                floor = gap(ours, log_probabilities(engine, answered))
        note("parity: reading the base")
        base = Resident.load(shipment.base, exact, self.pad_id).engine
        effect = gap(ours, log_probabilities(base, answered))
        del base
        free_memory()
        note("parity: reading what was exported")
        theirs, said = self._artefact(answered)
        found = gap(ours, theirs)
        return self._decided(floor, found, effect, answered, said)

    def _artefact(self, answered: Answered) -> tuple[list[torch.Tensor], list[tuple[int, ...]]]:
        from evalsuite.engine.generate import generate
        from train.export.prompts import ANSWER_TOKENS

        assert self.artefact.load is not None
        placement = self._placement(self.artefact.precision)
        stops = tuple(sorted(self.shipment.tokenizer.eos_ids))
        with self.artefact.load(placement, self.pad_id) as engine:
            theirs = log_probabilities(engine, answered)
            said = [
                generate(engine, [GenerateRequest(ids, ANSWER_TOKENS, stops)])[0].output
                for ids in answered.prompts
            ]
        return theirs, said

    def _decided(
        self,
        floor: Gap,
        found: Gap,
        effect: Gap,
        answered: Answered,
        said: Sequence[tuple[int, ...]],
    ) -> Parity:
        artefact = self.artefact
        status, reason, notes = decide(
            self.differing,
            floor,
            found,
            effect,
            changes_precision=bool(artefact.quantized_as),
        )
        tokenizer = self.shipment.tokenizer
        other = [
            Difference(prompt.text, tokenizer.decode(ours), tokenizer.decode(theirs))
            for prompt, ours, theirs in zip(
                self.prompts.prompts, answered.answers, said, strict=True
            )
            if ours != theirs
        ]
        more = (
            (f"{self.prompts.too_long} rows were too long to be prompts here.",)
            if self.prompts.too_long
            else ()
        )
        return Parity(
            status,
            reason,
            prompts=len(self.prompts.prompts),
            source=self.prompts.source,
            ids_checked_with="transformers" if artefact.tokenizer else "",
            ids_differing=self.differing,
            reference="the run in float32, on the unquantised base"
            if self.shipment.subject.quantization
            else "the run in float32",
            precision=artefact.quantized_as or artefact.precision,
            floor_of=f"the same run, read {TOGETHER} prompts at once"
            if artefact.precision == "float32"
            else f"the same run in {artefact.precision}",
            floor=floor,
            artefact=found,
            effect=effect,
            texts_differing=len(other),
            differences=tuple(other[:_SHOWN]),
            notes=(*notes, *artefact.notes, *more),
        )


def _reward_parity(
    shipment: Shipment,
    prompts: Prompts,
    artefact: Artefact,
    differing: tuple[str, ...],
    options: Options,
) -> Parity:
    """Compare rewards: the artefact's may be as far from the run's as rounding takes them."""
    ours = _rewards(shipment.subject.path, "float32", prompts, options)
    rounded = _rewards(shipment.subject.path, artefact.precision, prompts, options)
    theirs = _rewards(artefact.weights, artefact.precision, prompts, options)
    floor = max(abs(a - b) for a, b in zip(ours, rounded, strict=True))
    found = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
    allowed = FACTOR * floor + _LEAST_REWARD
    said = (
        f"rewards of {len(ours)} chats differ from the run's by at most {found:.3g}; rounding the "
        f"run to {artefact.precision} moves them by up to {floor:.3g}"
    )
    ok = not differing and math.isfinite(found) and found <= allowed
    return Parity(
        "pass" if ok else "fail",
        "" if ok else f"{said}, and {allowed:.3g} is allowed.",
        prompts=len(prompts.prompts),
        source=prompts.source,
        ids_checked_with="transformers",
        ids_differing=differing,
        reference="the run in float32",
        precision=artefact.precision,
        floor_of=f"the same run in {artefact.precision}",
        notes=(said,),
    )


@torch.inference_mode()
def _rewards(path: Any, dtype: str, prompts: Prompts, options: Options) -> list[float]:
    model = load_reward_model(path, dtype=dtype, device=options.device)
    found = []
    for prompt in prompts.prompts:
        ids = torch.tensor([prompt.ids], device=options.device)
        found.append(float(model(input_ids=ids).logits.float()))
    return found
