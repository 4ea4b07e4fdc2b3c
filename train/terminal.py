"""Plans, rows and progress for a person: progress to stderr, tables and rows to stdout."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from train.ledger_view import print_ledger
from workspace.context import Progress, console, emit_table, note

if TYPE_CHECKING:
    from evalsuite.models import ChatTokenizer
    from train.plan import Prepared
    from train.plan.tokens import TokenRow
    from train.trl_bridge import StepReport


class Terminal:
    """Renders a run's progress to stderr."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self.last: StepReport | None = None

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._close(*raised)

    def _close(self, *raised: Any) -> None:
        if self._progress is not None:
            self._progress.__exit__(*(raised or (None, None, None)))
            self._progress = None

    def note(self, text: str) -> None:
        """Print one fact."""
        self._close()
        note(f"  {text}")

    def working(self, what: str, done: int, total: int) -> None:
        """Show how far a phase is."""
        self._show(what, done, total, "rows")

    def planned(self, prepared: Prepared) -> None:
        """Print the plan's sums and warnings."""
        self._close()
        for line in arithmetic(prepared):
            note(f"  {line}")
        for name in ("learning_rate", "max_length"):
            decided = prepared.plan.settings[name]
            if decided.reason != "recipe":
                note(f"  {name}: {decided.value} ({decided.reason})")
        for warning in prepared.plan.warnings:
            note(f"! {warning}")

    def step(self, report: StepReport) -> None:
        """Show a step."""
        self.last = report
        detail = f"loss {report.loss:.4f} · {report.tokens_per_second:,.0f} tokens/s"
        # The first step of this attempt, which a resumed run does not begin at 1.
        self._show("training", report.step, report.max_steps, "steps", detail, report.step - 1)

    def _show(
        self, what: str, done: int, total: int, unit: str, detail: str = "", before: int = 0
    ) -> None:
        if self._progress is None or self._progress.what != what:
            self._close()
            self._progress = Progress(what, total, unit=unit, done=before).__enter__()
        self._progress.update(done, detail=detail)
        if done >= total:
            self._close()


def arithmetic(prepared: Prepared) -> list[str]:
    """Return the numbers of the plan as sums that a reader can check."""
    plan, schedule = prepared.plan, prepared.schedule
    accumulation = -(-plan.batch_size // plan["micro_batch_size"])
    seen = " + ".join(f"{source.rows_seen:,} {source.role}" for source in plan.sources)
    share = plan.trainable_parameters / max(1, plan.model_parameters)
    if "completions" in plan.settings:
        return _generated(prepared, accumulation, seen, share)
    at_once = f"{plan['micro_batch_size']} at once × {accumulation}"
    if schedule.packs is not None:
        at_once = (
            f"in {plan['micro_batch_size'] * schedule.accumulation} sequences, "
            f"{plan['micro_batch_size']} at once × {schedule.accumulation}"
        )
    return [
        f"{plan.steps:,} steps × {plan.batch_size} rows ({at_once}) "
        f"= {len(schedule.order):,} rows = {seen}",
        f"{plan.tokens_seen:,} tokens, {plan.tokens_trained:,} of them with loss; "
        f"{plan.padding_share:.1%} of the computation is padding",
        f"{plan.adapter['kind']}: {plan.trainable_parameters:,} of {plan.model_parameters:,} "
        f"weights are trained ({share:.1%})",
    ]


def print_plan(prepared: Prepared) -> None:
    """Print the data, the settings, the sums and the warnings of a plan."""
    print_sources(prepared)
    print_ledger(prepared.ledger)
    print_settings(prepared)
    print_packing(prepared)
    for line in arithmetic(prepared):
        print(line)
    for warning in prepared.plan.warnings:
        print(f"! {warning}")


def _generated(prepared: Prepared, accumulation: int, seen: str, share: float) -> list[str]:
    plan, schedule = prepared.plan, prepared.schedule
    method = plan.method
    return [
        f"{plan.steps:,} steps × {plan.batch_size} prompts "
        f"({plan['micro_batch_size']} at once × {accumulation}) = {len(schedule.order):,} prompts "
        f"= {seen}",
        f"{plan.batch_size} prompts × {method['num_generations']} generations = "
        f"{plan['completions']:,} completions a step, at most {method['max_new_tokens']} tokens "
        f"each; {method['iterations']} step{'s' if method['iterations'] > 1 else ''} for each set",
        f"{plan.adapter['kind']}: {plan.trainable_parameters:,} of {plan.model_parameters:,} "
        f"weights are trained ({share:.1%})",
    ]


def print_sources(prepared: Prepared) -> None:
    """Print what each dataset gives, a line each."""
    rows = []
    for source in prepared.plan.sources:
        account = prepared.ledger.total(source.role)
        dropped = ", ".join(f"{count:,} {why}" for why, count in account.rows_dropped.items())
        rows.append(
            [
                source.role,
                source.path,
                f"{account.rows_in:,}",
                f"{account.rows_kept:,}",
                f"{account.rows_cut:,}",
                dropped or "0",
                f"{account.tokens_trained:,}",
                f"{account.tokens_masked:,}",
                f"{source.longest:,}",
                f"{source.epochs:g}",
            ]
        )
    columns = ["role", "dataset", "rows", "kept", "cut", "dropped", "tokens trained"]
    columns += ["tokens masked", "longest", "epochs"]
    emit_table("data", columns, rows, numeric=(2, 3, 4, 6, 7, 8, 9))


def print_settings(prepared: Prepared) -> None:
    """Print the values in effect with their reasons."""
    plan = prepared.plan
    rows = [[name, str(one.value), one.reason] for name, one in sorted(plan.settings.items())]
    emit_table("settings", ["setting", "value", "why"], rows, numeric=(1,))


def print_packing(prepared: Prepared) -> None:
    """Print what packing saves by source, where rows are packed."""
    packing = prepared.ledger.packing
    if packing is None:
        return
    document = packing.as_dict()
    columns = ["rows", "tokens", "padding", "padding_unpacked", "padding_saved"]
    lines = [
        [one["role"], one["source"], *(f"{one[name]:,}" for name in columns)]
        for one in document["sources"]
    ]
    shown = ["role", "source", "rows", "tokens", "padding", "unpacked", "saved"]
    emit_table("packing", shown, lines, numeric=(2, 3, 4, 5, 6))


def print_row(row: TokenRow, tokenizer: ChatTokenizer, method: str) -> None:
    """Print one row as token text; what carries no loss is dimmed, or else what does is marked."""
    from rich.text import Text

    from train.methods import METHODS
    from train.proof.examples import segments
    from workspace.text import plain

    out = console()
    coloured = out.is_terminal and not os.environ.get("NO_COLOR")
    out.print(
        Text(
            plain(f"{row.row.place} · id {row.row_id[:16]} · {row.role} · ")
            + f"{row.tokens} tokens, {row.trained} trained",
            style="bold" if coloured else "",
        )
    )
    names = METHODS[method].sequences
    for name, one in zip(names, row.sequences, strict=True):
        text = Text(f"{name}\n" if name else "", style="italic" if coloured else "")
        for piece, is_trained in segments(one, tokenizer):
            shown = plain(piece)
            if coloured:
                text.append(shown, style="" if is_trained else "dim")
            else:
                text.append(f"⟦{shown}⟧" if is_trained else shown)
        out.print(text)
    out.print()
