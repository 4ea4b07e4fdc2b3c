"""An evaluation read whole, in a worker, as plain values for the screen."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.evaluations.wrapping import Paragraph
from tui.snapshot import unstamped
from tui.verdicts import run_of
from workspace.errors import TemperError

if TYPE_CHECKING:
    from evalsuite.report.document import Results
    from evalsuite.report.plot import Forest
    from evalsuite.verdict import AbilityResult
    from tui.glyphs import Glyphs

Page = tuple[Paragraph, ...]

_ASCII = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "→": "->", "…": "...", "·": "|", "‖": "||", "“": '"', "”": '"',
     "×": "x", "≥": ">=", "≤": "<="}
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """One tuned model against the base or a stored one."""

    key: str
    base: str
    tuned: str
    """Both by their names in `samples.parquet`."""
    run: str
    """How the tuned model is named on the command line."""
    status: str
    headline: str
    abilities: tuple[AbilityResult, ...]
    """In the order of the suites."""
    forests: tuple[Forest, ...]
    """None where the verdict is invalid: the numbers are withdrawn."""
    details: dict[str, Page]
    """What is known of each ability."""
    pages: dict[str, Page]
    """verdict, own data, prompts, checks."""
    groups: dict[str, tuple[tuple[str, frozenset[str]], ...]]
    """Of each ability the groups of what failed, with the items as `task/id`."""


@dataclass(frozen=True)
class Opened:
    """A whole evaluation, or why it cannot be shown."""

    path: Path
    title: str = ""
    compared: tuple[Compared, ...] = ()
    pages: dict[str, Page] | None = None
    """Where nothing was compared: prompts and checks."""
    trouble: Page = ()

    @property
    def report(self) -> Path:
        """Where the HTML report is."""
        return self.path / "report.html"


def open_evaluation(path: Path, glyphs: Glyphs) -> Opened:
    """Read an evaluation; what is missing, damaged or newer is told, never raised."""
    from evalsuite.report import read_results

    try:
        return _opened(path, read_results(path), glyphs)
    except TemperError as error:
        told = [Paragraph(error.title[:1].upper() + error.title[1:] + ".", "bad", "!", "bad")]
        told += [Paragraph(one) for one in (error.where or "", error.cause, error.cure) if one]
        return Opened(path, path.name, trouble=tuple(told))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        told = [Paragraph(f"This evaluation cannot be shown: {error!r}.", "bad", "!", "bad")]
        return Opened(path, path.name, trouble=tuple(told))


def _opened(path: Path, results: Results, glyphs: Glyphs) -> Opened:
    from tui.evaluations.words import checks_of, ending, prompts

    paths = {model.name: model.path for model in results.models}
    compared = tuple(
        _compared(results, place, paths, glyphs) for place in range(len(results.comparisons))
    )
    alone = None
    if not compared:
        alone = {
            "prompts": _shown(prompts(results, glyphs), glyphs),
            "checks": _shown([*checks_of(results, glyphs), *ending(results, glyphs)], glyphs),
        }
    return Opened(path, results.heading, compared, alone)


def _compared(results: Results, place: int, paths: dict[str, str], glyphs: Glyphs) -> Compared:
    from evalsuite.report.plot import forests
    from tui.evaluations.words import Wording, prompts

    record = results.comparisons[place]
    finite = tuple(_finite(one) for one in record.verdict.abilities)
    record = record.model_copy(update={"verdict": replace(record.verdict, abilities=finite)})
    run = unstamped(run_of(record.tuned, paths))
    wording = Wording(results, record, run, glyphs)
    is_valid = record.verdict.status != "invalid"
    groups: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for group in results.failures:
        if group.model == record.key:
            groups.setdefault(group.ability, []).append((group.name, frozenset(group.items)))
    return Compared(
        key=record.key,
        base=record.base,
        tuned=record.tuned,
        run=run,
        status=record.verdict.status,
        headline=_text(record.verdict.headline, glyphs),
        abilities=finite if is_valid else (),
        forests=tuple(forests(finite)) if is_valid else (),
        details={one.name: _shown(wording.ability(one), glyphs) for one in finite},
        pages={
            "verdict": _shown(wording.verdict(), glyphs),
            "own data": _shown(wording.own_data(), glyphs),
            "prompts": _shown(prompts(results, glyphs), glyphs),
            "checks": _shown(wording.checks(), glyphs),
        },
        groups={name: tuple(found) for name, found in groups.items()},
    )


def _finite(ability: AbilityResult) -> AbilityResult:
    """Return the evidence with None for what is no number: it cannot be drawn."""
    bad: dict[str, Any] = {
        field.name: None
        for field in fields(ability)
        if isinstance(value := getattr(ability, field.name), float) and not math.isfinite(value)
    }
    for name, instead in (("margin", 0.05), ("min_gain", 0.0), ("alpha", 0.05)):
        bad.update({name: instead} if name in bad else {})
    return replace(ability, **bad) if bad else ability


def _shown(paragraphs: Any, glyphs: Glyphs) -> Page:
    return tuple(
        replace(one, text=_text(one.text, glyphs), mark=_text(one.mark, glyphs))
        for one in paragraphs
    )


def _text(text: str, glyphs: Glyphs) -> str:
    """Return a text of ours with plain spaces, and in ASCII where that is wanted."""
    text = text.replace("\u202f", " ")
    return text if glyphs.braille else text.translate(_ASCII)
