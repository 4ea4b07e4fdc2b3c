"""The path of a run: load → plan → prove → fit → write."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from train import record as records
from train.beginning.start import settle
from train.checkpoints import CheckpointStore
from train.environment import Device, choose_device, environment
from train.fitting import Fitting, fit_within_memory
from train.guard import Guard
from train.inputs import Inputs, find_inputs
from train.methods import METHODS
from train.plan import Prepared
from train.probe.stage import open_probe, take_best
from train.proof import prove
from train.proof.rewards import prove_rewards_of
from train.proof.template import padding_token
from train.publish import publish_model
from train.rehearsal import Stage, rehearse
from train.reinforcement_sections import RewardedSection, RftSection
from train.reporter import Reporter, Silent
from train.rewards import RewardPlace
from train.run_files import ENVIRONMENT, plan_digests, write_run_files
from train.sampling.stage import kept_inputs, sample
from train.speed import demand_levers, told
from train.start import Place, Start
from workspace.claims import claim
from workspace.errors import UsageError, WorkError
from workspace.files import read_json, write_json
from workspace.jobs import Job
from workspace.layout import Workspace, new_id
from workspace.recipe import Recipe
from workspace.waiting import JobWaiter

if TYPE_CHECKING:
    from train.rehearsal import Measured
    from train.rehearsal.batch import Batch
    from train.trl_bridge import FitRequest

LoadBase = Callable[[Inputs, Prepared, Device], Any]
_NOTHING_BEGUN = "Nothing was begun: the same command begins anew."


def run_train(
    recipe: Recipe,
    workspace: Workspace,
    job: Job,
    reporter: Reporter | None = None,
    *,
    name: str | None = None,
    overrides: Sequence[str] = (),
    place: Place | None = None,
) -> Path:
    """Train as the recipe says and return the run's directory.

    Args:
        recipe: with a `train` and a `model` section.
        workspace: where `runs/` is.
        job: the running job; its events get every step.
        reporter: is told what happens.
        name: of the run; the recipe's name if left out.
        overrides: `--set` values in the recipe, kept for `temper resume`.
        place: of the run in a larger job; None: it is by itself.

    Raises:
        UsageError: the recipe, data or model cannot be used (nothing is written).
        LimitExceeded: too many rows lost, the mask is disproved, or the loss is not finite.
        Stopped: a signal asked for it; a checkpoint was saved if a step was done.
    """
    inputs = find_inputs(recipe, workspace)
    if inputs.section.each is not None:
        raise UsageError(
            "this makes one run, and the recipe asks for one for each group",
            where="train.each",
            cure="Take `temper train`, or --set train.each=null for all rows together.",
        )
    place = place or Place(new_id(name or recipe.name))
    return begin_run(inputs, workspace, job, reporter or Silent(), place, overrides=overrides)


def begin_run(
    inputs: Inputs,
    workspace: Workspace,
    job: Job,
    reporter: Reporter,
    place: Place,
    *,
    overrides: Sequence[str] = (),
    load_base: LoadBase | None = None,
) -> Path:
    """Plan and train what was found, and return the run's directory.

    Args:
        inputs: what the run reads.
        workspace: where `runs/` is.
        job: the running job.
        reporter: is told what happens.
        place: of the run.
        overrides: `--set` values in the recipe.
        load_base: returns the model to begin with; None loads it.

    Raises:
        as `run_train`.
    """

    def working(what: str, done: int, total: int) -> None:
        job.check_stop(cure=_NOTHING_BEGUN)
        reporter.working(what, done, total)

    prepared = inputs.prepare(working)
    reporter.planned(prepared)
    job.check_stop(cure=_NOTHING_BEGUN)
    with ExitStack() as held:
        if inputs.beginning is not None:
            # to merge looks at the GPUs, and torch keeps to those that were visible then
            held.enter_context(claim(waiter=JobWaiter(job, reporter.note, _NOTHING_BEGUN)))
        run = workspace.make(workspace.runs) / place.run
        run.mkdir(mode=0o700)
        if inputs.beginning is not None:
            with _removed_if_it_fails(run):
                inputs, prepared = settle(run, inputs, prepared, reporter)
                job.check_stop(cure=_NOTHING_BEGUN)
        write_run_files(run, inputs, prepared)
        record = records.new_record(run, inputs, prepared, job, tuple(overrides))
        record |= place.fields
        records.add_attempt(run, record, job, from_step=0, accepted=[])
        job.result(run)
        return attempt_run(run, inputs, prepared, job, reporter, Start(), load_base=load_base)


@contextmanager
def _removed_if_it_fails(run: Path) -> Iterator[None]:
    """Leave no run behind that nothing is known of."""
    try:
        yield
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise


def attempt_run(
    run: Path,
    inputs: Inputs,
    prepared: Prepared,
    job: Job,
    reporter: Reporter,
    start: Start,
    *,
    load_base: LoadBase | None = None,
) -> Path:
    """Prove, fit and write: one attempt at a run whose files are there."""
    cure = f"Continue with: temper resume {run.name}"
    prove_run(run, inputs, prepared, reporter)
    if isinstance(inputs.section.method, RftSection):
        return _sample_then_fit(run, inputs, prepared, job, reporter)
    job.check_stop(cure=cure)
    waiter = JobWaiter(job, reporter.note, cure)
    with claim(waiter=waiter) as claimed, _quiet_libraries():
        reporter.note("loading torch and trl (some ten seconds)")
        from train.adapters import whole_model

        device = choose_device(
            claimed,
            precision=inputs.section.precision,
            weights=inputs.model_section.dtype,
            exact_weights=inputs.section.adapter.needs_exact_weights,
            threads=prepared.plan["threads"],
        )
        reporter.note(f"device: {device.device}, {device.precision} ({device.reason})")
        threads_why = prepared.plan.settings["threads"].reason
        reporter.note(f"threads: {device.threads} ({threads_why})")
        demand_levers(prepared.plan.levers, device)
        for text in told(prepared.plan.levers):
            reporter.note(text)
        write_json(run / ENVIRONMENT, environment(device, _digests(inputs, prepared)))
        load = partial(load_base or load_planned_base, inputs)
        model, prepared = _fit(run, inputs, prepared, job, reporter, start, device, load)
        job.check_stop(cure=cure)
        is_reward = METHODS[inputs.section.method.kind].makes == "reward"
        publish_model(
            run / "model",
            whole_model(model) if is_reward else model,
            inputs.source.path,
            pad_id=padding_token(inputs.tokenizer)[0] if is_reward else None,
            adapter=inputs.section.adapter.kind,
            base_digest=inputs.source.digest,
            base_quantization=inputs.section.adapter.quantization,
            plan_digest=prepared.plan.digest,
        )
    steps = records.published_step(records.read_record(run))
    job.events.append("model", path="model", steps=steps)
    return run


def _sample_then_fit(
    run: Path, inputs: Inputs, prepared: Prepared, job: Job, reporter: Reporter
) -> Path:
    """Draw and keep completions, then plan and fit as for a dataset of them."""
    proof = read_json(run / "proof.json", kind="proof")
    waiter = JobWaiter(job, reporter.note, f"Continue with: temper resume {run.name}")
    with claim(waiter=waiter):  # to the end: torch stays on the GPU that it began with
        with _quiet_libraries():
            sample(run, inputs, prepared, job, reporter)
        write_json(run / "sampling_proof.json", proof)  # of prompts and rewards; then of rows
        second = kept_inputs(run, inputs)
        assert second is not None
        planned = second.prepare(reporter.working)
        enter_second_stage(run, second, planned)
        reporter.planned(planned)
        return attempt_run(run, second, planned, job, reporter, Start())


def enter_second_stage(run: Path, inputs: Inputs, prepared: Prepared) -> None:
    """Write the plan of what was kept in place of that of the prompts."""
    write_run_files(run, inputs, prepared)
    record = records.read_record(run)
    record["settings"] = records.compared_settings(inputs)
    record["dataset"], record["steps"] = str(inputs.dataset), prepared.plan.steps
    write_json(run / records.FILE, record)


def prove_run(run: Path, inputs: Inputs, prepared: Prepared, reporter: Reporter) -> None:
    """Write the mask proof, or that of the rewards, and stop if it fails."""
    proof = prove(
        prepared.rows,
        inputs.tokenizer,
        method=inputs.section.method.kind,
        seed=inputs.section.seed,
    )
    method = inputs.section.method
    if isinstance(method, RewardedSection):
        place = RewardPlace(inputs.recipe.base_dir, run)
        rewards = prove_rewards_of(method, prepared, inputs.tokenizer, place)
        passed = {"passed": proof.passed and rewards.passed, "rewards": rewards.as_dict()}
        write_json(run / "proof.json", {**proof.as_dict(), **passed})
        rewards.enforce()
        for text in rewards.notes(prepared.rows.parts):
            reporter.note(text)
        return
    write_json(run / "proof.json", proof.as_dict())
    proof.enforce()
    reporter.note(f"mask proof: {proof.summary}")
    for why, count in proof.turns_left_out.items():
        reporter.note(f"! {count:,} assistant turns are read but not learnt: {why}")


def _digests(inputs: Inputs, prepared: Prepared) -> dict[str, Any]:
    return {
        "model": inputs.source.digest,
        "tokenizer": inputs.tokenizer.digest,
        "template": inputs.tokenizer.template_digest,
        **({"teacher": inputs.teacher.digest} if inputs.teacher else {}),
        **plan_digests(prepared),
        **{source.role: source.digest for source in prepared.plan.sources},
    }


def _fit(
    run: Path,
    inputs: Inputs,
    prepared: Prepared,
    job: Job,
    reporter: Reporter,
    start: Start,
    device: Device,
    load: Callable[[Prepared, Device], Any],
) -> tuple[Any, Prepared]:
    """Rehearse and train; return the model, and the plan with the rows at once that fitted."""
    from train.trl_bridge import rehearse_batch

    quantization = inputs.section.adapter.quantization
    if quantization:
        reporter.note(
            f"base: 4 bits a weight ({quantization}), computed in bfloat16"
            + ("; on a CPU this is slow: for trying out" if device.device == "cpu" else "")
        )
    store = CheckpointStore(run / "checkpoints", keep=inputs.section.keep_checkpoints)
    fitting = Fitting(run, inputs, job, reporter, store)

    def request(prepared: Prepared, start: Start, guard: Guard) -> FitRequest:
        return _request(fitting, prepared, start, guard, device)

    def perform(batch: Batch, directory: Path) -> Measured:
        return rehearse_batch(
            lambda: load(batch.prepared, device),
            _tokenizer(inputs),
            request(batch.prepared, Start(), Guard()),
            batch,
            directory,
        )

    rehearsed, rehearsal = rehearse(Stage(run, inputs, job, reporter, device, perform), prepared)
    fitting.split(prepared, rehearsed, start.step)
    return fit_within_memory(
        fitting,
        rehearsed,
        start,
        lambda prepared, start: _fit_once(
            fitting, request(prepared, start, fitting.guard(rehearsal, start)), start, device, load
        ),
    )


def _request(
    fitting: Fitting, prepared: Prepared, start: Start, guard: Guard, device: Any
) -> FitRequest:
    from train.trl_bridge import FitRequest

    pad_id, _ = padding_token(fitting.inputs.tokenizer)
    return FitRequest(
        prepared=prepared,
        store=fitting.store,
        job=fitting.job,
        pad_id=pad_id,
        device=device.device,
        precision=device.precision,
        report=fitting.reporter.step,
        resume_from=start.checkpoint.path if start.checkpoint else None,
        note=fitting.reporter.note,
        guard=guard,
        base_dir=fitting.inputs.recipe.base_dir,
        teacher=fitting.inputs.teacher,
    )


def _tokenizer(inputs: Inputs) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(inputs.source.path, local_files_only=True)


def _fit_once(
    fitting: Fitting,
    request: FitRequest,
    start: Start,
    device: Device,
    load: Callable[[Prepared, Device], Any],
) -> Any:
    """Load the model, train it, and return it."""
    from train.adapters import Split, publishable, trainable_parameters
    from train.trl_bridge import build_trainer, fit, open_trackers

    inputs, plan, job = fitting.inputs, request.prepared.plan, fitting.job
    base = load(request.prepared, device)
    probe = open_probe(fitting, plan, start, device, base)
    request = replace(request, probe=probe)
    job.events.append("start", from_step=start.step, max_steps=plan.steps, device=asdict(device))
    trainer = build_trainer(base, _tokenizer(inputs), request)
    fitting.reporter.note(
        f"trainable: {trainable_parameters(trainer.model):,} of {plan.model_parameters:,} weights"
    )
    split = Split.of(trainer.model) if inputs.section.adapter.splits_weights else None
    project, names = inputs.recipe.name, inputs.section.trackers
    with open_trackers(names, fitting.run, project, job.events, fitting.reporter.note) as opened:
        for tracker in opened:
            trainer.add_callback(tracker)
        steps = fit(trainer)
    if steps < plan.steps and not (probe is not None and probe.is_exhausted):
        job.check_stop(
            cure=f"Step {steps} of {plan.steps} is saved. "
            f"Continue with: temper resume {fitting.run.name}"
        )
        raise WorkError(f"the trainer ended at step {steps} of {plan.steps}")
    if probe is not None:
        take_best(fitting, trainer, probe, steps)
    return publishable(trainer.model, split)


def load_planned_base(inputs: Inputs, prepared: Prepared, device: Device) -> Any:
    """Return the model that the method begins with."""
    from transformers import set_seed

    from evalsuite.models.load import load_model, load_with_reward_head

    set_seed(prepared.plan.seed)  # decides the adapter's first weights
    path, where = inputs.source.path, {"dtype": device.weights, "device": device.device}
    if METHODS[inputs.section.method.kind].makes == "reward":
        return load_with_reward_head(path, seed=prepared.plan.seed, **where)
    levers = prepared.plan.levers
    attention = str(levers["attention"].value)
    return load_model(
        path,
        quantization=inputs.section.adapter.quantization,
        attention=None if attention == "default" else attention,
        kernels=levers["kernels"].value == "on",
        **where,
    )


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Send what libraries say to the job's log instead of between our lines."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_default_handler()
    transformers_logging.enable_propagation()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    with warnings.catch_warnings():
        # Deprecations between libraries are for their authors: logged, neither shown nor raised.
        warnings.simplefilter("default")
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
