"""`temper check`: everything that can be known before a GPU is touched, in one list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from curate.recipe import CurateSection
from curate.synth.recipe import AugmentSection
from evalsuite.asking.backends.configs import AnyBackend, EndpointConfig
from evalsuite.models import ModelSection
from evalsuite.recipe import EvalSection
from train.recipe import TrainSection
from train.stages import planned
from tui.check_ledger import ledger_findings
from tui.check_sources import source_findings
from tui.check_suites import asker_of, foreseen
from tui.findings import Finding
from workspace.errors import DataError, TemperError
from workspace.recipe import Recipe

if TYPE_CHECKING:
    from evalsuite.scorers import TaskScorer
    from evalsuite.tasks import LoadedTask
    from train.inputs import Inputs
    from train.plan import Prepared


def check_recipe(recipe: Recipe) -> list[Finding]:
    """Look at each section of a recipe that has already been read without a problem.

    No code from data or plugins runs, torch is not imported, and nothing of the workspace is
    written. Items of suites are all read: those of the hub, and benchmarks, are downloaded into the
    cache of `datasets` where they are not there yet.
    """
    findings = [Finding("ok", "recipe", f"{recipe.path.name}: {', '.join(recipe.sections)}")]
    looks = (_model, _sources, _curation, _judges, _augment, _served, _suites)
    for look in looks:
        findings += _told(look, recipe)
    for stage, one in planned(recipe):
        for look in (_amounts, _training):
            findings += [_of(stage, finding) for finding in _told(look, one)]
    return findings


def look_at_sources(recipe: Recipe) -> list[Finding]:
    """Look at the raw rows alone, as `check_recipe` does."""
    return [*_told(_sources, recipe)]


def _of(stage: str, finding: Finding) -> Finding:
    """Say of which stage something was found, if there are stages."""
    return replace(finding, what=f"{stage}: {finding.what}") if stage else finding


def _told(look: Callable[[Recipe], Iterator[Finding]], recipe: Recipe) -> Iterator[Finding]:
    """Yield what `look` finds; an error becomes a finding and ends that part."""
    try:
        yield from look(recipe)
    except TemperError as error:
        yield Finding("fail", look.__name__.strip("_"), _what_happened(error), error.cure)


def _what_happened(error: TemperError) -> str:
    """Return an error without its way out, which a finding shows apart."""
    place = f"{error.where}: " if error.where else ""
    why = f" {error.cause}" if error.cause else ""
    return f"{place}{error.title}.{why}"


def _model(recipe: Recipe) -> Iterator[Finding]:
    from evalsuite.models import ChatTokenizer, resolve_model

    section = recipe.section("model", ModelSection)
    if section is None:
        return
    source = resolve_model(section, recipe.base_dir)
    commit = f" at {source.revision[:12]}" if source.revision else ""
    yield Finding("ok", "model", f"{source.name}{commit}, digest {source.digest[:12]}")
    tokenizer = ChatTokenizer.from_dir(source.path)
    if tokenizer.template is None:
        yield Finding("warn", "template", "none", "Chat rows need one.")
        return
    reading = tokenizer.reading
    if reading.problem:
        yield Finding(
            "warn",
            "template",
            f"does not show what the assistant writes. {reading.problem}",
            "Training on chats needs it: see `temper preview --template`.",
        )
        return
    how = (
        "marks the assistant's turns"
        if reading.way == "marks"
        else ("the assistant's turns are found by its prompts")
    )
    yield Finding("ok", "template", f"{how}, digest {tokenizer.template_digest[:12]}")
    for note in reading.notes:
        yield Finding("warn", "template", note)


def _sources(recipe: Recipe) -> Iterator[Finding]:
    yield from source_findings(recipe)


def _curation(recipe: Recipe) -> Iterator[Finding]:
    """Say what `temper curate` will take."""
    from curate.curating import token_model
    from curate.planning.plan import plan_curation

    section = recipe.section("curate", CurateSection)
    if section is None:
        return
    model, _ = token_model(recipe)
    disk = recipe.workspace.root
    try:
        plan = plan_curation(section, recipe.base_dir, disk, counts_tokens=model is not None)
    except DataError:  # told as a finding about the source
        return
    told = (
        f"about {plan.expected.rows:,} rows, {plan.told_time}, "
        f"{plan.peak_memory_bytes / 1e9:.1f} GB of memory, {plan.disk_bytes / 1e9:.1f} GB of disk"
    )
    if plan.lacks:
        yield Finding("warn", "curation", f"{told}. {plan.lacks}", "Curate in parts, or elsewhere.")
    else:
        yield Finding("ok", "curation", told)


def _judges(recipe: Recipe) -> Iterator[Finding]:
    section = recipe.section("curate", CurateSection)
    for step in section.steps if section else ():
        if step.score is not None and step.score.judge is not None:
            yield from _shown_to("judge", step.score.judge.backend)


def _amounts(recipe: Recipe) -> Iterator[Finding]:
    """Say how much there is to train on, once there is a dataset."""
    from curate.published import dataset_notes

    section = recipe.section("train", TrainSection)
    name = (section.dataset if section else None) or recipe.name
    if recipe.section("curate", CurateSection) is None and section is None:
        return
    if not (recipe.workspace.datasets / name).exists():
        return
    for note in dataset_notes(recipe.workspace.dataset(name)):
        warns = note.startswith("WARNING: ")
        yield Finding("warn" if warns else "ok", "amount", note.removeprefix("WARNING: "))


def _augment(recipe: Recipe) -> Iterator[Finding]:
    section = recipe.section("augment", AugmentSection)
    for backend in section.backends if section else ():
        yield from _shown_to("augment", backend)


def _shown_to(what: str, backend: AnyBackend, shown: str = "rows") -> Iterator[Finding]:
    """Say who would be shown what, and whether the key is there."""
    from evalsuite.asking.backends.opening import check_backend

    yield Finding("ok", what, f"{shown} are shown to {backend.described}")
    check_backend(backend)
    if isinstance(backend, EndpointConfig) and backend.api_key:
        yield Finding("ok", what, f"{backend.api_key} is set")


def _scored_by(suite: str, task: str, scorer: TaskScorer | None) -> Iterator[Finding]:
    """Say what scores a task with, where that is more than comparing texts."""
    from evalsuite.scorers import JudgeScorer, PairwiseScorer, demand

    if isinstance(scorer, JudgeScorer | PairwiseScorer):
        yield from _shown_to("suite", scorer.backend, f"{suite}: answers of {task}")
    elif scorer is not None and (told := demand(scorer)):
        warns = told.startswith("! ")
        yield Finding("warn" if warns else "ok", "suite", f"{suite}: {task}: {told.lstrip('! ')}")


def _served(recipe: Recipe) -> Iterator[Finding]:
    section = recipe.section("evaluate", EvalSection)
    served = section.served if section else None
    for backend in (served.base, *served.tuned.values()) if served else ():
        yield from _shown_to("served", backend, "items")


def _suites(recipe: Recipe) -> Iterator[Finding]:
    from evalsuite.sizing.draw import drawn
    from evalsuite.tasks.suites import find_suite, load_suite
    from evalsuite.tasks.terms import terms_of

    section = recipe.section("evaluate", EvalSection)
    purposes = set()
    asker = asker_of(recipe) if section and section.suites else None
    for name in section.suites if section else ():
        try:
            suite = load_suite(find_suite(name, recipe.workspace))
        except TemperError as error:
            waits = "datasets/" in error.where
            yield Finding(
                "warn" if waits else "fail",
                "suite",
                f"{name}: {_what_happened(error)}",
                "It is made by `temper curate`." if waits else error.cure,
            )
            continue
        purposes.add(suite.spec.purpose)
        items = sum(len(task.items) for task in suite.tasks)
        yield Finding(
            "ok",
            "suite",
            f"{name}: {suite.spec.purpose}, {len(suite.tasks)} tasks, {items:,} items, "
            f"margin {suite.spec.margin:g}",
        )
        (asked,) = drawn([suite], section.items, section.items_seed) if section else (suite,)
        yield from _downloaded(name, suite.tasks)
        for task in asked.tasks:
            yield from _scored_by(name, task.spec.name, task.spec.scorer)
            terms = terms_of(suite.spec, task.spec)
            if len(task.items) < terms.min_items:
                yield Finding(
                    "warn",
                    "suite",
                    f"{name}: {task.spec.name} has {len(task.items)} items, "
                    f"fewer than min_items {terms.min_items}",
                    "It cannot pass: add items, or lower min_items before training.",
                )
        yield from foreseen(asked, section or EvalSection(), asker)
    if section and "retention" not in purposes:
        yield Finding(
            "warn",
            "suites",
            "none measures what the model may forget",
            "Add builtin:general (of the built-in model builtin:retention) or a suite of your own.",
        )


def _downloaded(suite: str, tasks: Sequence[LoadedTask]) -> Iterator[Finding]:
    """Say which items `datasets` reads, which fills its cache."""
    from evalsuite.tasks.hub_rows import HUB

    cached = [
        task.spec.name
        for task in tasks
        if task.spec.kind == "lm_eval"
        or task.spec.data.startswith(HUB)
        or (task.spec.few_shot is not None and task.spec.few_shot.data.startswith(HUB))
    ]
    if cached:
        told = (
            f"{suite}: {', '.join(cached)}: read by `datasets`, which keeps what it reads in its "
        )
        yield Finding("ok", "suite", f"{told}cache and downloads what is not there")


def _training(recipe: Recipe) -> Iterator[Finding]:
    from train.inputs import find_inputs
    from train.proof import prove
    from train.proof.rewards import prove_rewards_of
    from train.reinforcement_sections import JudgeReward, RewardedSection
    from train.rewards import RewardPlace
    from train.trackers import destination
    from workspace.errors import DataError

    section = recipe.section("train", TrainSection)
    if section is None:
        return
    missing = 0
    for name in section.dataset_names(recipe.name):
        try:
            recipe.workspace.dataset(name)
        except DataError as error:
            missing += 1
            yield Finding("warn", "dataset", f"{name}: not made yet", error.cure)
    if missing:
        yield from _memory(recipe, None)
        return
    inputs = find_inputs(recipe, recipe.workspace, command="temper check")
    for tracker in section.trackers:
        found = f"figures, settings and the model's config go to {destination(tracker)}"
        yield Finding("ok", f"tracker {tracker}", found)
    if section.each is not None:
        yield from _groups(inputs)
    prepared = inputs.prepare()
    plan = prepared.plan
    if section.each is None:  # otherwise its groups were planned, each by itself
        yield Finding(
            "ok",
            "plan",
            f"{plan.steps:,} steps × {plan.batch_size} rows, {plan.tokens_trained:,} trained "
            f"tokens, {plan.trainable_parameters:,} weights",
        )
        yield from ledger_findings(prepared.ledger)
        for warning in plan.warnings:
            yield Finding("warn", "plan", warning)
    yield from _memory(recipe, prepared)
    if isinstance(section.method, RewardedSection):
        for one in section.method.rewards:
            if isinstance(one, JudgeReward):
                yield from _shown_to("rewards", one.backend)
        place = RewardPlace(recipe.base_dir, recipe.base_dir)
        # Opinions cost money or weights: the run asks for them.
        rewards = prove_rewards_of(
            section.method, prepared, inputs.tokenizer, place, opinions=False
        )
        told = [f"{one.place}: {one.reward} {one.problem}" for one in rewards.faults[:3]]
        for text in told or rewards.notes(prepared.rows.parts):
            yield Finding("ok" if rewards.passed else "fail", "rewards", text.removeprefix("! "))
        return
    proof = prove(prepared.rows, inputs.tokenizer, method=section.method.kind, seed=section.seed)
    yield Finding(
        "ok" if proof.passed else "fail",
        "mask",
        f"{proof.turns:,} assistant turns trained, {proof.turns_ending:,} end where generation "
        "stops",
        "" if proof.passed else "`temper preview` shows the rows.",
    )


def _groups(inputs: Inputs) -> Iterator[Finding]:
    from train.each.plan import plan_groups

    whole = plan_groups(inputs)
    yield Finding(
        "ok",
        "groups",
        f"{len(whole.plans):,} adapters by {whole.groups.column}, {whole.steps:,} steps in all",
    )
    if whole.groups.rows_left_out:
        found = f"{whole.groups.rows_left_out:,} rows belong to no group that is trained"
        yield Finding("warn", "groups", found, "`temper plan` shows which.")


def _memory(recipe: Recipe, prepared: Prepared | None) -> Iterator[Finding]:
    """Say whether a GPU of this machine holds what the recipe trains."""
    from train.estimate.advice import misfit
    from train.planning import estimate_recipe

    if recipe.section("model", ModelSection) is None:
        return
    answer = estimate_recipe(recipe, prepared)
    chosen = answer.question.chosen
    here = [cell for cell in answer.cells if cell.gpu.is_here and cell.way == chosen]
    if not here:
        return
    lacking = misfit(chosen, here)
    best = lacking or max((cell for cell in here if cell.fits), key=lambda cell: not cell.is_tight)
    rows = f"{best.micro_batch} row{'s' if best.micro_batch > 1 else ''}"
    told = (
        f"{chosen} training needs about {best.memory.total / 2**30:.1f} GiB with "
        f"{rows} of {answer.question.length:,} tokens at once; "
        f"{best.gpu.name} has {best.gpu.memory_gib:.1f} GiB"
    )
    if lacking:
        yield Finding("fail", "memory", told, answer.recommendation)
    elif best.is_tight:
        yield Finding("warn", "memory", f"{told}, which is tight", "Shorten rows: max_length.")
    else:
        yield Finding("ok", "memory", told)
