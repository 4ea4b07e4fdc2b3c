"""`temper curate`: a recipe to a dataset, and single steps for scripts.

Rendering only: what is told comes from `curate.curating` and `curate.files_out`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from curate import (
    cli_accounts,
    cli_augment,
    cli_balance,
    cli_calibrate,
    cli_fit,
    cli_quality,
    cli_score,
    cli_set,
    cli_steps,
)
from workspace.context import Context, Progress, emit_json, emit_table, note
from workspace.detaching import refuse_with_detach, run_again_detached
from workspace.errors import UsageError
from workspace.options import AsJson, Detach, Overrides, RecipePath

if TYPE_CHECKING:
    from curate.curating import CurateResult
    from curate.ledger import Ledger
    from curate.pipeline import Reporter
    from curate.planning.plan import CurationPlan
    from curate.recipe import CurateSection
    from workspace.jobs import Job

_RUN = "run"


class RecipeOrStep(TyperGroup):
    """`temper curate` and `temper curate my.yaml` mean `temper curate run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put `run` before arguments that begin with no step's name."""
        helps = {"--help", "-h"}
        if not args or (args[0] not in self.commands and args[0] not in helps):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=RecipeOrStep,
    help="Rows → dataset. Without a step's name: `temper curate [RECIPE]`.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def register(root: typer.Typer) -> None:
    """Add `temper curate` to the root."""
    root.add_typer(app, name="curate")


@app.command(_RUN)
def run(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Do everything but write the dataset.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute everything again, and keep nothing of it.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Begin although memory or disk will not do, by the plan."),
    ] = False,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Make the dataset that a recipe describes."""
    from curate.curating import check_curate, run_curate
    from workspace.jobs import run_job

    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, tuple(overrides or ()))
    workspace = loaded.workspace
    if detach:
        refuse_with_detach(dry_run=dry_run)
        checked = check_curate(loaded, workspace, force=force)
        _refuse_standard_input(checked.section)
        run_again_detached(context, workspace, "curate", doing="curating", as_json=as_json)
        return
    with Progress("curating", rates=True) as progress:
        speaker = Speaker(progress)
        if dry_run:
            result = run_curate(
                loaded, workspace, speaker.reporter(), dry_run=True, cache=not no_cache, force=force
            )
        else:
            with run_job(workspace, "curate", context.argv) as job:
                result = run_curate(
                    loaded, workspace, speaker.stoppable(job), cache=not no_cache, force=force
                )
                if result.path is not None:
                    job.result(result.path)
        speaker.finish(result.ledger.rows_read)
    _show(result, as_json=as_json)


def _refuse_standard_input(section: CurateSection) -> None:
    """Refuse to read in the background what only this terminal is given."""
    from curate.formats.files import STDIN

    if any(source.path == STDIN for source in section.sources):
        raise UsageError(
            "a job that runs on by itself has no standard input",
            where="curate.sources",
            cause=f"One of them is `{STDIN}`.",
            cure="Write the rows to a file and name that, or leave --detach out.",
        )


class Speaker:
    """Turns what a curation says into a line of progress: done, of how many, how fast, left."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.rows: int | None = None
        """About how many rows the sources have, once that is known."""
        self.what = ""
        """What is counted now."""

    def plan(self, plan: CurationPlan) -> None:
        """Show what large sources will take, and remember how many rows to expect."""
        if not plan.expected.unknown:
            self.rows = plan.expected.rows
        if plan.is_large:
            for line in plan.lines():
                note(line)

    def tell(self, stage: str) -> None:
        """Show that a stage begins."""
        self.what = ""
        self.progress.unit = ""
        self.progress.stage(stage, self.rows if stage == "reading" else None)

    def tick(self, rows: int, what: str) -> None:
        """Show how many rows were read, and of which file."""
        self.progress.unit = "rows"
        if self.progress.total is not None and rows > self.progress.total:
            self.progress.total = None  # the plan was too low: nobody knows what is left
        self.progress.update(rows, detail=what)

    def advance(self, done: int, total: int, what: str) -> None:
        """Show how far a stage is whose end is known."""
        if (what, total) != (self.what, self.progress.total) or done < self.progress.done:
            self.what = self.progress.unit = what
            self.progress.stage(self.progress.what, total)
        self.progress.update(done)

    def finish(self, rows: int) -> None:
        """Show that all is done."""
        self.progress.stage("curated")
        self.progress.unit = "rows"
        self.progress.update(rows)

    def stoppable(self, job: Job) -> Reporter:
        """Return what a curation reports to, which stops it when a signal asked for that."""
        from curate.pipeline import Reporter

        def check() -> None:
            job.check_stop(cure="Nothing was published: the same command begins anew.")

        def tick(rows: int, what: str) -> None:
            check()
            self.tick(rows, what)

        def advance(done: int, total: int, what: str) -> None:
            check()
            self.advance(done, total, what)

        return Reporter(self.tell, tick, check, advance, self.plan)

    def reporter(self) -> Reporter:
        """Return what a curation reports to."""
        from curate.pipeline import Reporter

        return Reporter(self.tell, self.tick, advance=self.advance, plan=self.plan)


def _show(result: CurateResult, *, as_json: bool) -> None:
    if as_json:
        emit_json(
            {
                "schema_version": 1,
                "name": result.name,
                "type": result.type,
                "path": str(result.path) if result.path else None,
                "digest": result.digest,
                "existed": result.existed,
                "notes": list(result.notes),
                "ledger": result.ledger.document(),
            }
        )
        return
    show_ledger(f"{result.name}: what became of every row", result.ledger)
    show_notes(result.notes, result.ledger)
    if result.path is None:
        note("Nothing was written (--dry-run).")
        return
    if result.existed:
        note("The same rows had been made before; the dataset is unchanged.")
    note(f"Dataset: {result.path}")
    note(f"Report:  {result.path / 'report.html'}")


def show_ledger(title: str, ledger: Ledger) -> None:
    """Print the ledger as a table: one line a step, then the splits."""
    rows = []
    for step in ledger.steps:
        total = ledger.total(step)
        rows.append([step, f"{total.rows_in.rows:,}", f"{total.kept.rows:,}", total.told])
    emit_table(title, ["step", "in", "kept", "dropped"], rows, numeric=(1, 2))
    parts = [
        f"{name} {count.rows:,}" + (f" ({count.tokens:,} tokens)" if count.tokens else "")
        for name, count in ledger.splits.items()
    ]
    note(f"{ledger.balance}; {', '.join(parts)}")


def show_notes(notes: Iterable[str], ledger: Ledger) -> None:
    """Print notes, each with the step that says it."""
    steps: dict[str, list[str]] = {}
    for time in ledger.times:
        for text in time.notes:
            steps.setdefault(text, []).append(time.step)
    for text in notes:
        by = steps.get(text)
        note(f"· {by.pop(0)}: {text}" if by else f"· {text}")


cli_steps.add_to(app)
cli_quality.add_to(app)
cli_augment.add_to(app)
cli_accounts.add_to(app)
cli_balance.add_to(app)
cli_calibrate.add_to(app)
cli_score.add_to(app)
cli_fit.add_to(app)
cli_set.add_to(app)
