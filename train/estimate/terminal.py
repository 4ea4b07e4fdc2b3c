"""An estimate as tables for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from train.estimate.advice import span
from train.estimate.gpus import PRICES_FROM
from train.estimate.memory import GIB, whole_logits_bytes
from train.estimate.ways import TITLES
from workspace.context import emit_table
from workspace.text import plain

if TYPE_CHECKING:
    from train.estimate.cell import Cell
    from train.estimate.estimate import Estimate

_TERMS = {
    "weights": "weights",
    "quantisation": "4-bit constants, one matrix unpacked",
    "adapter": "adapter",
    "gradients": "gradients",
    "optimizer": "Adam states",
    "copies": "bfloat16 copies",
    "reference": "reference model",
    "activations": "activations",
    "work": "backward pass of a layer",
    "loss": "loss, in tiles",
    "context": "CUDA context",
    "fragmentation": "fragmentation",
}


def print_estimate(estimate: Estimate) -> None:
    """Print the weights, the memory by term, the GPUs and what to do."""
    _print_weights(estimate)
    _print_memory(estimate)
    _print_gpus(estimate)
    for note in estimate.question.shape.notes:
        print(f"! {plain(note)}")
    if estimate.question.demand.note:
        print(f"! {estimate.question.demand.note}")
    print(plain(estimate.recommendation))


def _print_weights(estimate: Estimate) -> None:
    shape = estimate.question.shape
    parts = " + ".join(f"{name} {count:,}" for name, count in shape.parts().items() if count)
    print(plain(f"{shape.name} ({shape.family}): {shape.parameters:,} weights = {parts}"))


def _print_memory(estimate: Estimate) -> None:
    asked = estimate.question
    taken = [estimate.planned(way) for way in asked.ways]
    rows = [
        [title, *(f"{memory.terms()[name] / GIB:.2f}" for memory in taken)]
        for name, title in _TERMS.items()
        if any(memory.terms()[name] for memory in taken)
    ]
    rows.append(["together", *(f"{memory.total / GIB:.1f}" for memory in taken)])
    each = f" × {asked.demand.sequences} sequences" if asked.demand.sequences > 1 else ""
    again = "activations computed again" if asked.checkpointing else "no checkpointing"
    title = (
        f"memory in GiB: {_rows(asked.wanted)}{each} × {asked.length:,} tokens at once "
        f"({asked.length_reason}), {again}"
    )
    columns = ["term", *(TITLES[way.name] for way in asked.ways)]
    emit_table(title, columns, rows, numeric=range(1, len(columns)))
    tokens = asked.wanted * asked.length * asked.demand.sequences
    whole = whole_logits_bytes(asked.shape, tokens) / GIB
    print(f"logits are never whole: they would take {whole:.1f} GiB")


def _print_gpus(estimate: Estimate) -> None:
    asked = estimate.question
    rows = []
    for gpu in estimate.gpus:
        price = "" if gpu.price is None else f"{gpu.price:g}"
        name = f"{gpu.name} (here)" if gpu.is_here else gpu.name
        rows.append([name, f"{gpu.memory_gib:.1f}", price, *map(_cell, estimate.at(gpu))])
    what = "the plan" if asked.work else "a million tokens"
    columns = ["GPU", "GiB", "$/h", *(TITLES[way.name] for way in asked.ways)]
    title = f"GPUs: rows at once, memory, hours and US dollars for {what}"
    emit_table(title, columns, rows, numeric=(1, 2))
    print(f"hours are a range, without start-up and saving; prices are round, of {PRICES_FROM}")


def _cell(cell: Cell) -> str:
    memory = f"{cell.memory.total / GIB:.1f} GiB"
    if not cell.fits:
        return f"no: {memory}"
    tight = " (tight)" if cell.is_tight else ""
    time = f", {span(cell.hours)} h" if cell.hours else ""
    money = f", {span(cell.money, '$')}" if cell.money else ""
    return f"{_rows(cell.micro_batch)}, {memory}{tight}{time}{money}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
