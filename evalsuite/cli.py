"""`temper eval` and `temper report`. Rendering only: what is told comes from `evalsuite.run`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evalsuite.terminal import AnswerProgress, MeasuringRecipe, Suites
from workspace.context import Context, emit_json, emit_table, note
from workspace.errors import TemperError
from workspace.layout import RECIPE, Workspace
from workspace.options import Overrides
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.run import EvalRequest, EvalResult
    from evalsuite.verdict import AbilityResult, Verdict
    from workspace.jobs import Job
    from workspace.recipe import Recipe

Undecided = Literal["inconclusive", "pass", "fail"]


def evaluate(
    ctx: typer.Context,
    runs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]...",
            help="Ids, names or paths of runs, or model directories; left out: the latest run, "
            "or with --prompts alone the base only.",
        ),
    ] = None,
    recipe: MeasuringRecipe = None,
    suites: Suites = None,
    base: Annotated[
        str | None, typer.Option(help="Base of plain model directories: a path or hub name.")
    ] = None,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Exit 1 if a run fails, 3 if undecided: for CI."),
    ] = False,
    inconclusive: Annotated[
        Undecided | None, typer.Option(help="What --gate makes of an undecided verdict.")
    ] = None,
    prompts: Annotated[
        bool,
        typer.Option(
            "--prompts",
            help="Is tuning needed? The base zero-shot, with examples and by your own prompts.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="results.json on stdout.")] = False,
    overrides: Overrides = None,
) -> None:
    """Run → verdict: base and tuned on the same items, in the same batches.

    Exit codes: 0 done (with --gate: passed), 1 refused, 3 undecided, 5 a check of the measurement
    failed, so that no number may be trusted (5 also without --gate).
    """
    from workspace.claims import claim
    from workspace.jobs import run_job
    from workspace.waiting import JobWaiter

    context: Context = ctx.obj
    loaded = _recipe(context, recipe, overrides or [])
    workspace = loaded.workspace if loaded else Workspace.find()
    _fetch_base(context, loaded, workspace, base)
    names = runs or ([] if prompts and not gate else ["latest"])
    request = _request(context, loaded, workspace, names, suites or [], base, prompts)
    with (
        run_job(workspace, "eval", context.argv) as job,
        claim(waiter=JobWaiter(job, note)) as device,
    ):
        note(f"Working on {device.device}: {device.reason}.")
        result = _run(request, workspace, job)
        job.result(result.directory)
    if as_json:
        emit_json(result.results.model_dump(mode="json"))
    else:
        _tell(result)
    _enforce(result, gate=gate, inconclusive=inconclusive or request.settings.inconclusive)


def report(
    evaluation: Annotated[
        str, typer.Argument(help="Id, name or path of an evaluation, or `latest`.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="The paths as JSON.")] = False,
) -> None:
    """Draw the reports of an evaluation again and print where they are."""
    from evalsuite.report import write_reports

    paths = write_reports(Workspace.find().evaluation(evaluation))
    if as_json:
        emit_json([str(path) for path in paths])
        return
    for path in paths:
        print(path)


def register(app: typer.Typer) -> None:
    """Mount this package's commands."""
    app.command("eval")(evaluate)
    app.command("report")(report)


def _recipe(context: Context, path: Path | None, overrides: Sequence[str]) -> Recipe | None:
    """Load the recipe; None where there is none and none was asked for."""
    if path is None and not overrides and not (Workspace.find().root / RECIPE).is_file():
        return None
    return context.load_recipe(path, overrides)


def _fetch_base(
    context: Context, recipe: Recipe | None, workspace: Workspace, base: str | None
) -> None:
    """Download a base from the hub, if it is not here, before a GPU is held for it."""
    from evalsuite.models import ModelSection, is_hub_name
    from evalsuite.models.download import ensure_model, fetch

    if base is not None:
        section = ModelSection(path=base)
        if is_hub_name(section, Path.cwd()):
            fetch(section, workspace, context.argv)
    elif recipe:
        ensure_model(recipe, context.argv)


def _request(
    context: Context,
    recipe: Recipe | None,
    workspace: Workspace,
    runs: Sequence[str],
    suites: Sequence[str],
    base: str | None,
    prompts: bool,
) -> EvalRequest:
    import shlex

    from evalsuite.engine.groups import all_members
    from evalsuite.engine.request import EvalRequest
    from evalsuite.engine.subjects import common_base, find_subject
    from evalsuite.models import ModelSection, resolve_model
    from evalsuite.prompting.arms import Prompting
    from evalsuite.prompting.asking import prompting_of
    from evalsuite.recipe import EvalSection
    from evalsuite.tasks import find_suite, load_suite
    from workspace.secrets import redact

    section = (recipe.section("evaluate", EvalSection) if recipe else None) or EvalSection()
    model = recipe.section("model", ModelSection) if recipe else None
    subjects = tuple(find_subject(name, workspace) for name in all_members(runs, workspace))
    found = tuple(load_suite(find_suite(name, workspace)) for name in suites or section.suites)
    if base is not None:
        source = resolve_model(ModelSection(path=base), Path.cwd())
    elif model and recipe and not any(subject.base for subject in subjects):
        source = resolve_model(model, recipe.base_dir)
    else:
        source = common_base(subjects)
    request = EvalRequest(
        name=recipe.name if recipe else "eval",
        base=source,
        subjects=subjects,
        suites=found,
        settings=section,
        dtype=model.dtype if model else "auto",
        prompts=prompts,
        prompting=prompting_of(section.prompts, recipe, workspace) if prompts else Prompting(),
        command=redact(shlex.join(context.argv)),
    )
    request.check()
    return request


def _run(request: EvalRequest, workspace: Workspace, job: Job) -> EvalResult:
    from evalsuite.run import run_evaluation

    progress = AnswerProgress(job)
    result = run_evaluation(request, workspace, progress)
    job.events.append("evaluated", result=str(result.directory), seconds=result.results.seconds)
    progress.close()
    return result


def _tell(result: EvalResult) -> None:
    from evalsuite.prompting.telling import over_prompt, tell_prompts

    for comparison in result.results.comparisons:
        verdict, name = comparison.verdict, comparison.tuned
        header = ["ability", "to", "base", name, "difference", "95 % interval", "verdict"]
        rows = [_row(ability) for ability in verdict.abilities]
        gains = [one for one in result.results.prompt_gains if one.tuned == name]
        if gains:
            header.append("over the best prompt")
            for row, ability in zip(rows, verdict.abilities, strict=True):
                row.append(over_prompt(gains, name, ability.name))
        emit_table(f"{name} against {comparison.base}", header, rows, numeric=(2, 3, 4, 5))
        print(plain(f"{_SIGN[verdict.status]} {verdict.headline}"))
        for line in _why(verdict):
            print(plain(f"  {line}"))
        print()
    tell_prompts(result.results)
    for advice in result.results.recommendations:
        print(plain(f"{advice.sentence}\n"))
    for remark in result.results.notes:
        note(f"note: {remark}")
    for path in result.reports:
        print(path)


_SIGN = {"pass": "✓", "fail": "✗", "inconclusive": "?", "invalid": "!"}


def _why(verdict: Verdict) -> list[str]:
    """Return what stands against the model, the weightiest first."""
    if verdict.status == "invalid":
        return list(verdict.reasons)
    order = ("fail", "inconclusive", "not measured")
    return [
        f"{ability.name}: {ability.sentence}"
        for wanted in order
        for ability in verdict.abilities
        if ability.verdict == wanted
    ]


def _row(ability: AbilityResult) -> list[str]:
    from evalsuite.sentences import change, score

    bounded = ability.bounded
    interval = "–"
    if ability.low is not None and ability.high is not None:
        low, high = (change(end, bounded=bounded) for end in (ability.low, ability.high))
        interval = f"{low} to {high}"
    name = f"{ability.name} (held back)" if ability.held_back else ability.name
    return [
        name,
        "gain" if ability.purpose == "target" else "keep",
        score(ability.base, bounded=bounded),
        score(ability.tuned, bounded=bounded),
        change(ability.difference, bounded=bounded),
        interval,
        "undecided" if ability.verdict == "inconclusive" else ability.verdict,
    ]


def _enforce(result: EvalResult, *, gate: bool, inconclusive: Undecided) -> None:
    """Raise what the worst verdict deserves; without a gate only an invalid one is an error."""
    from evalsuite.gate import enforce

    report = result.directory / "report.html"
    order = {"invalid": 0, "fail": 1, "inconclusive": 2, "pass": 3}
    verdicts = [comparison.verdict for comparison in result.results.comparisons]
    for verdict in sorted(verdicts, key=lambda verdict: order[verdict.status]):
        if not gate and verdict.status != "invalid":
            continue
        try:
            enforce(verdict, inconclusive=inconclusive)
        except TemperError as error:
            # The table and the reasons are printed already.
            error.where = str(report)
            raise
