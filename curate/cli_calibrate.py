"""`temper curate calibrate`: which threshold of near-duplicates suits these rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from curate.cli_request import Request, on_rows
from workspace.context import Progress, emit_json, emit_table, note
from workspace.options import AsJson
from workspace.text import plain

if TYPE_CHECKING:
    from curate.calibration.outcome import Calibration, Point, Share

_BAR = 40
_SHOWN = 160


def add_to(app: typer.Typer) -> None:
    """Add the command to `temper curate`."""
    app.command("calibrate")(calibrate)


@on_rows("max_quarantine", writes=False)
def calibrate(
    request: Request,
    precision: Annotated[
        float, typer.Option(help="Wanted share of true copies among the rows removed.")
    ] = 0.99,
    seed: Annotated[int, typer.Option(help="Another seed makes other plants.")] = 0,
    plants: Annotated[int, typer.Option(help="Rows to plant, half of them copies.")] = 2000,
    sample: Annotated[int, typer.Option(help="Most rows to draw plants from.")] = 20_000,
    as_json: AsJson = False,
) -> None:
    """Plant copies and siblings among your rows; see what each threshold removes."""
    from curate.api import calibrate as measure
    from curate.cli import Speaker
    from curate.one_step import curated_rows

    with Progress("calibrating", unit="rows") as progress:
        speaker = Speaker(progress)
        with curated_rows(request.section(), speaker.reporter(), base=Path.cwd()) as curated:
            speaker.tell("planting copies and siblings")
            found = measure(
                curated.kept, precision=precision, seed=seed, plants=plants, sample=sample
            )
        progress.update(found.rows, detail="")
    if as_json:
        emit_json(found.document())
        return
    _show(found)


def _show(found: Calibration) -> None:
    from curate.steps.configs import NearDuplicates

    rows = [_row(point, found.proposed) for point in found.points]
    emit_table(
        f"near-duplicates by threshold: {sum(found.planted.values()):,} plants in "
        f"{found.sampled:,} rows, intervals at 95 %",
        ["", "threshold", "precision", "", "recall", "", "false alarms / million", "your pairs"],
        rows,
        numeric=(1, 2, 4, 6, 7),
    )
    default = NearDuplicates().threshold
    near = found.at(default if found.proposed is None else found.proposed)
    emit_table(
        f"removed at {near.threshold:g}, by class of plant",
        ["class", "removed", "of", ""],
        [
            [kind, f"{share.hits:,}", f"{share.of:,}", _limits(share)]
            for kind, share in near.removed.items()
        ],
        numeric=(1, 2),
    )
    _plot(found)
    if found.examples:
        print(f"\nyour pairs nearest to {near.threshold:g}")
    for example in found.examples:
        print(f"  {example.similarity:.3f}  {plain(example.first, _SHOWN)}")
        print(f"         {plain(example.second, _SHOWN)}")
    for text in found.notes:
        note(f"· {text}")
    if found.proposed is not None:
        note(
            f"For a precision of {found.wanted:g}: --threshold {found.proposed:g}, which finds "
            f"{near.recall.value:.1%} of the copies and calls {near.real_pairs:,} pairs of yours "
            "near-duplicates."
        )


def _row(point: Point, proposed: float | None) -> list[str]:
    rate, limit = point.per_million
    return [
        "→" if point.threshold == proposed else "",
        f"{point.threshold:.2f}",
        _value(point.precision),
        _limits(point.precision),
        _value(point.recall),
        _limits(point.recall),
        f"{rate:,.0f} (at most {limit:,.0f})",
        f"{point.real_pairs:,}",
    ]


def _value(share: Share) -> str:
    return "–" if share.value is None else f"{share.value:.3f}"


def _limits(share: Share) -> str:
    interval = share.interval
    return f"{interval.low:.3f} to {interval.high:.3f}" if share.of else ""


def _plot(found: Calibration) -> None:
    """Draw recall as bars, with precision's lower limit in figures beside them."""
    print("\nrecall (bars), lower limit of precision (figures)")
    for point in found.points[::2]:
        bar = "#" * round(_BAR * (point.recall.value or 0.0))
        print(f"  {point.threshold:.2f} |{bar:<{_BAR}}| {point.precision.interval.low:.3f}")
