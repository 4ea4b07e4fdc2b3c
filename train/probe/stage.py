"""Where a run's probe begins, and where its best step becomes the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from train import record as records
from train.probe.rule import Rule
from train.probe.watch import ProbeWatch

if TYPE_CHECKING:
    from train.environment import Device
    from train.fitting import Fitting
    from train.plan import Plan
    from train.start import Start
    from train.trl_bridge.planned import Planned


def open_probe(
    fitting: Fitting, plan: Plan, start: Start, device: Device, base: Any
) -> ProbeWatch | None:
    """Score the base and return what will score the steps; None where nothing is probed.

    Args:
        fitting: the attempt.
        plan: of the run.
        start: where it begins.
        device: where it is.
        base: the loaded model; nothing is put on it yet.
    """
    inputs, suites = fitting.inputs, fitting.inputs.probe
    if suites is None:
        return None
    from evalsuite.engine.measured import CACHE
    from train.probe.measure import Prober

    every, workspace = plan.settings["probe_every"], inputs.recipe.workspace
    fitting.reporter.note(
        f"probe: {suites.items:,} items of {len(suites.abilities)} abilities every {every.value} "
        f"steps ({every.reason}); scoring the base"
    )
    asks = Prober(suites, device)
    answers = workspace.make(workspace.evals) / CACHE
    held = inputs.section.adapter.quantization
    watch = ProbeWatch(
        asks=asks,
        rule=Rule(suites.abilities, asks.base(base, inputs.source.digest, held, answers)),
        digest=suites.digest,
        every=int(every.value),
        steps=plan.steps,
        patience=suites.section.patience,
        events=fitting.job.events,
        store=fitting.store,
        note=fitting.reporter.note,
    )
    watch.begin(start.step)
    return watch


def take_best(fitting: Fitting, trainer: Planned, probe: ProbeWatch, steps: int) -> None:
    """Give the trained model the weights of the best step, and record which it is and why.

    Raises:
        WorkError: the best step's checkpoint is damaged or gone.
    """
    from train.trl_bridge import put_back

    published = probe.published(steps)
    if published["step"] != steps:
        put_back(trainer, fitting.store.path(probe.demand_best()))
    prepared = trainer.request.prepared
    done = prepared.schedule.order[: prepared.schedule.offsets[steps]]
    tokens = {
        "tokens_seen": int(prepared.rows.tokens[done].sum()),
        "tokens_trained": int(prepared.rows.trained[done].sum()),
    }
    records.add_published(fitting.run, {**published, **tokens})
    fitting.reporter.note(
        f"published is step {published['step']} of {probe.steps}: {published['why']}"
    )
