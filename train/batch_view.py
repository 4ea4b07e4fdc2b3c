"""`temper batch`: the rows of one step, as chat with what carried loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workspace.context import emit_json
from workspace.options import AsJson, RunName

if TYPE_CHECKING:
    from train.batch_rows import Batch, BatchRow


def batch(
    run: RunName,
    step: Annotated[int, typer.Argument(min=1, help="The optimiser step, from 1.")],
    as_json: AsJson = False,
) -> None:
    """Show exactly the rows that were learnt from in one step; what carried no loss is dimmed.

    Without colours, what was trained stands between ⟦ and ⟧.
    """
    from train.batch_rows import read_batch
    from workspace.layout import Workspace

    found = read_batch(Workspace.find().run(run), step)
    if as_json:
        emit_json(batch_document(found))
    else:
        _print(found)


def batch_document(batch: Batch) -> dict[str, Any]:
    """Return a step with its rows as plain data."""
    from train.methods import METHODS

    return {
        "schema_version": 1,
        "run": batch.run,
        "method": batch.method,
        "step": batch.step,
        "steps": batch.steps,
        "sequences": list(METHODS[batch.method].sequences),
        "rows": [_row_document(one, batch) for one in batch.rows],
        "completions": [dict(one) for one in batch.completions],
    }


def _row_document(one: BatchRow, batch: Batch) -> dict[str, Any]:
    from train.proof.examples import example

    shown = example(one.row, batch.tokenizer) if one.row is not None else {}
    own = {name: value for name, value in vars(one).items() if name != "row"}
    return {"place": "", "trained": 0, "segments": [], **shown, **own}


def _print(batch: Batch) -> None:
    from train.terminal import print_row
    from workspace.text import plain

    for one in batch.rows:
        print(
            plain(
                f"step {batch.step} of {batch.steps}, micro-batch {one.micro_batch + 1}, "
                f"row {one.position + 1}: {one.role}"
            )
        )
        if one.problem:
            print(plain(f"! {one.row_id[:16]}: {one.problem}"))
        if one.row is not None:
            print_row(one.row, batch.tokenizer, batch.method)
    for completion in batch.completions:
        print(plain(f"sampled, reward {completion['reward']:.4g}: {completion['completion']}"))
