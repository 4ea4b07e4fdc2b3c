"""What to do, in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from train.estimate.cell import Cell
from train.estimate.compute import Hours
from train.estimate.memory import GIB
from train.estimate.ways import WAYS, WayName

_NAMES: dict[WayName, str] = {"full": "full training", "lora": "LoRA", "qlora": "QLoRA"}


def advise(chosen: WayName, cells: Sequence[Cell]) -> str:
    """Return what to do: stay on the GPU here if it holds the recipe's way or a lighter one, else
    take the least expensive GPU that holds the recipe's way.

    Args:
        chosen: the recipe's way.
        cells: every way on every GPU that is compared.
    """
    here = [cell for cell in cells if cell.gpu.is_here]
    lighter = WAYS[WAYS.index(chosen) :]
    for way in lighter:
        own = [cell for cell in here if cell.way == way and cell.fits]
        if own:
            best = min(own, key=lambda cell: cell.is_tight)
            before = _instead(chosen, here) if way != chosen else ""
            return before + _fits(best)
    for way in lighter:
        fitting = [cell for cell in cells if cell.way == way and cell.fits]
        if fitting:
            best = min(fitting, key=_cost)
            before = _instead(chosen, here) if here else ""
            if way != chosen:
                before += f"No GPU of these holds {_NAMES[chosen]}; "
            article = "the" if before else "The"
            return f"{before}{article} least expensive that is compared: {_fits(best)}"
    least = min((cell.memory.total for cell in cells), default=0)
    return (
        f"No single GPU of these holds this model: the lightest way needs {least / GIB:.1f} GiB; "
        "take a smaller model, or shorter rows."
    )


def misfit(chosen: WayName, cells: Sequence[Cell]) -> Cell | None:
    """Return the recipe's way on the largest GPU here, if it fits on none; else None."""
    own = [cell for cell in cells if cell.gpu.is_here and cell.way == chosen]
    if not own or any(cell.fits for cell in own):
        return None
    return max(own, key=lambda cell: cell.gpu.memory_gib)


def _instead(chosen: WayName, here: Sequence[Cell]) -> str:
    cell = misfit(chosen, here)
    if cell is None:
        return ""
    return (
        f"{cell.gpu.name} does not hold {_NAMES[chosen]} "
        f"({cell.memory.total / GIB:.1f} of {cell.gpu.memory_gib:.1f} GiB); "
    )


def _fits(cell: Cell) -> str:
    tight = ", which is tight" if cell.is_tight else ""
    time = f", {span(cell.hours)} h" if cell.hours else ""
    money = f", {span(cell.money, '$')}" if cell.money else ""
    name = _NAMES[cell.way]
    return (
        f"{name} on {cell.gpu.name}: {cell.memory.total / GIB:.1f} of "
        f"{cell.gpu.memory_gib:.1f} GiB{tight}{time}{money}."
    )


def _cost(cell: Cell) -> tuple[bool, bool, float]:
    money = cell.money.high if cell.money else float("inf")
    return cell.is_tight, cell.money is None, money


def span(value: Hours, unit: str = "") -> str:
    """Return a range with two figures at most, behind a unit.

    >>> span(Hours(1.234, 2.345)), span(Hours(0.001, 0.002), "$")
    ('1.2–2.3', '<$0.01')
    """
    low, high = _rounded(value.low), _rounded(value.high)
    shown = low if low == high else f"{low}–{high}"
    return f"<{unit}{shown[1:]}" if shown.startswith("<") else f"{unit}{shown}"


def _rounded(value: float) -> str:
    if value < 0.01:
        return "<0.01"
    if value < 10:
        return f"{float(f'{value:.2g}'):g}"
    return f"{round(float(f'{value:.2g}')):,}"
