"""`temper curate augment`: new rows for what is missing. Rendering only."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workspace.context import Context, Progress, duration, emit_json, emit_table, note
from workspace.detaching import refuse_with_detach, run_again_detached
from workspace.options import AsJson, Detach, Overrides, RecipePath

if TYPE_CHECKING:
    from curate.synth.augmenting import AugmentResult
    from curate.synth.made import Standing
    from workspace.jobs import Job
    from workspace.recipe import Recipe

_EVENT_SECONDS = 5.0
_GOES_ON = "Every answer so far is kept: the same command goes on and pays for none twice."


def add_to(app: typer.Typer) -> None:
    """Add the command to `temper curate`."""
    app.command("augment")(augment)


def augment(
    ctx: typer.Context,
    recipe: RecipePath = None,
    overrides: Overrides = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing and who would be asked.")
    ] = False,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Make rows for what a dataset lacks: checked, new, within a budget.

    Says what is missing by the recipe's `augment.target`, makes rows by rules or by asking a
    model, and publishes them as a dataset of their own. Ctrl-C, SIGTERM and SIGHUP stop it; so may
    a crash: the same command goes on, and no answer is paid for twice.
    """
    from curate.synth.augmenting import check_augment, run_augment
    from curate.synth.work import Reporter

    context: Context = ctx.obj
    loaded = context.load_recipe(recipe, tuple(overrides or ()))
    workspace = loaded.workspace
    if detach:
        refuse_with_detach(dry_run=dry_run)
        check_augment(loaded, workspace)
        run_again_detached(context, workspace, "augment", doing="augmenting", as_json=as_json)
        return
    if dry_run:
        _show(run_augment(loaded, workspace, dry_run=True), as_json=as_json)
        return
    from evalsuite.asking.desk import Interrupted
    from workspace.jobs import run_job

    with ExitStack() as stack:
        job = stack.enter_context(run_job(workspace, "augment", context.argv))
        _claim_device(loaded, stack, job)
        progress = stack.enter_context(Progress("augmenting", unit="rows"))
        watcher = Watcher(job, progress)
        reporter = Reporter(watcher.tell, watcher.standing, lambda: job.stop_requested)
        try:
            result = run_augment(loaded, workspace, reporter)
        except Interrupted:
            job.check_stop(cure=_GOES_ON)
            raise
        if result.path is not None:
            job.result(result.path)
        progress.update(len(result.making.made), detail="")
    _show(result, as_json=as_json)


def _claim_device(recipe: Recipe, stack: ExitStack, job: Job) -> None:
    """Take a GPU, where there is one, before torch is imported for a local model."""
    from curate.synth.recipe import AugmentSection
    from evalsuite.asking.backends.configs import EndpointConfig
    from workspace.claims import claim
    from workspace.waiting import JobWaiter

    section = recipe.required("augment", AugmentSection, command="temper curate augment")
    if any(not isinstance(one, EndpointConfig) for one in section.backends):
        device = stack.enter_context(claim(waiter=JobWaiter(job, note, _GOES_ON)))
        note(f"Working on {device.device}: {device.reason}.")


class Watcher:
    """Turns what an augmentation says into a line of progress and events."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job = job
        self.progress = progress
        self._last_event = 0.0

    def tell(self, stage: str) -> None:
        """Show the stage."""
        self.progress.update(self.progress.done, detail=stage)

    def standing(self, now: Standing) -> None:
        """Show how far it is, how fast, what it cost and how long it will take."""
        self.progress.update(now.accepted, total=now.wanted, detail=_detail(now))
        if now.seconds - self._last_event >= _EVENT_SECONDS or now.accepted == now.wanted:
            self._last_event = now.seconds
            self.job.events.append("progress", **_event(now))


def _detail(now: Standing) -> str:
    answered, spent = now.counts.answered, now.purse.spent
    rate = answered / now.seconds if now.seconds > 1 else 0.0
    parts = [f"{answered:,} answers" + (f" ({rate:,.1f}/s)" if rate else "")]
    if now.counts.remembered:
        parts.append(f"{now.counts.remembered:,} from the log")
    if now.counts.failed or now.counts.retried:
        parts.append(f"{now.counts.failed:,} failed, {now.counts.retried:,} retried")
    budget = now.purse.budget
    parts.append(f"{spent.tokens:,} tokens" + (f" of {budget.tokens:,}" if budget.tokens else ""))
    if spent.money or budget.money:
        parts.append(f"{spent.money:.4f}" + (f" of {budget.money:g}" if budget.money else ""))
    return " · ".join([*parts, f"{now.lost:,} not accepted"])


def _event(now: Standing) -> dict[str, Any]:
    left = (now.wanted - now.accepted) * now.seconds / now.accepted if now.accepted else None
    return {
        "done": now.accepted,
        "total": now.wanted,
        "lost": now.lost,
        "answered": now.counts.answered,
        "remembered": now.counts.remembered,
        "failed": now.counts.failed,
        "tokens": now.purse.spent.tokens,
        "money": round(now.purse.spent.money, 6),
        "seconds_left": None if left is None else round(left, 1),
    }


def _show(result: AugmentResult, *, as_json: bool) -> None:
    if as_json:
        emit_json(_document(result))
        return
    rows = [
        [
            one.name,
            f"{one.wanted:,}",
            f"{result.accepted.get(one.name, 0):,}",
            f"{one.pool.size:,}",
            one.why,
        ]
        for one in result.deficits
    ]
    title = f"{result.name}: what is missing"
    emit_table(title, ["", "wanted", "made", "source rows", "why"], rows, numeric=(1, 2, 3))
    if result.curated is not None:
        from curate.cli import show_ledger

        show_ledger(f"{result.name}: what became of every row", result.curated.ledger)
    for text in result.notes:
        note(f"· {text}")
    if result.path is None:
        note("Nothing was sent and nothing written.")
        return
    if result.existed:
        note("The same rows had been made before; the dataset is unchanged.")
    seconds = result.curated.ledger.times[0].seconds if result.curated else 0.0
    note(f"Dataset: {result.path} in {duration(seconds)}")
    note(f"Use it:  add {_source_path(result.path)} to `curate.sources`, then `temper curate`.")


def _source_path(path: Path) -> str:
    return f"datasets/{path.parent.name}/current/train.parquet"


def _document(result: AugmentResult) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "schema_version": 1,
        "name": result.name,
        "type": result.type,
        "path": str(result.path) if result.path else None,
        "existed": result.existed,
        "deficits": [
            {
                "name": one.name,
                "wanted": one.wanted,
                "made": result.accepted.get(one.name, 0),
                "source_rows": int(one.pool.size),
                "why": one.why,
            }
            for one in result.deficits
        ],
        "spent": asdict(result.spent),
        "unsure": asdict(result.unsure),
        "counts": asdict(result.counts),
        "budget_gone": result.making.budget_gone or None,
        "notes": list(result.notes),
        "ledger": result.curated.ledger.document() if result.curated else None,
    }
