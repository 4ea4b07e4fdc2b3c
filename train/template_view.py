"""How a chat template is read, for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workspace.context import console
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.models.reading import Sample, TemplateReading

_WAYS = {
    "marks": "the template's own {% generation %} marks say what the assistant writes",
    "prompts": "the template has no {% generation %} marks: an answer begins where the template's "
    "prompt for it ends, and ends with a token at which generation stops",
}


def print_reading(reading: TemplateReading) -> None:
    """Print how a template is read; what is learnt stands between ⟦ and ⟧."""
    for line in lines(reading):
        console().print(line, markup=False, highlight=False, soft_wrap=True)


def lines(reading: TemplateReading) -> list[str]:
    """Return the lines of it."""
    out = [_WAYS[reading.way]]
    out.append(f"asks for an answer with {plain(repr(reading.opening))}")
    out.append(f"an answer ends with {plain(repr(reading.end))}")
    out += [f"! {plain(note)}" for note in reading.notes]
    if reading.problem:
        out.append(f"✗ cannot be trained with: {plain(reading.problem)}")
    for sample in reading.samples:
        out += ["", f"{sample.name}:", *_shown(sample)]
    return out


def _shown(sample: Sample) -> list[str]:
    if sample.refused:
        return [f"  refused: {plain(sample.refused)}"]
    text = "".join(f"⟦{piece}⟧" if learnt else piece for piece, learnt in sample.segments)
    difference = sample.difference()
    unlike = (
        ["  training differs from the template:"]
        if difference
        else ["  training reads what the template writes, character by character"]
    )
    return [
        *(f"  {plain(line)}" for line in text.splitlines()),
        *unlike,
        *(f"    {plain(line)}" for line in difference),
    ]
