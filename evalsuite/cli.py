"""`temper eval` and `temper report`. Rendering only: what is told comes from `evalsuite.run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

import evalsuite.cli_history
import evalsuite.cli_items
from evalsuite.terminal import AnswerProgress, MeasuringRecipe, Suites
from workspace.context import Context, emit_json, emit_table, note
from workspace.detaching import refuse_with_detach, run_again_detached
from workspace.errors import UsageError
from workspace.layout import RECIPE, Workspace
from workspace.options import Detach, Overrides
from workspace.text import plain

if TYPE_CHECKING:
    from evalsuite.overfitting.planted import Planted
    from evalsuite.recipe import EvalSection
    from evalsuite.run import EvalRequest, EvalResult
    from evalsuite.served.request import ServedRequest
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
            help="Ids, names or paths of runs, their checkpoints as RUN@step-400, or model "
            "directories; left out: the latest run, or with --prompts alone the base only.",
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
    top_up: Annotated[
        bool,
        typer.Option(
            "--top-up", help="Begin with min_items items; ask more only for what is undecided."
        ),
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Hold the run, or with --base alone that base, against a blessed baseline or "
            "another evaluation, on the items that both answered.",
        ),
    ] = None,
    failures: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What failed, as `augment.target.deficits` reads it: rows to make more of.",
        ),
    ] = None,
    sequence: Annotated[
        bool,
        typer.Option(
            "--sequence",
            help="The runs were tuned one after another, in this order, each for the target "
            "ability in the same place: backward and forward transfer.",
        ),
    ] = False,
    served: Annotated[
        bool,
        typer.Option(
            "--served",
            help="Compare the served models of `evaluate.served` in place of runs; items are sent "
            "to them.",
        ),
    ] = False,
    detach: Detach = False,
    as_json: Annotated[bool, typer.Option("--json", help="results.json on stdout.")] = False,
    overrides: Overrides = None,
) -> None:
    """Run → verdict: base and tuned on the same items, in the same batches.

    Exit codes: 0 done (with --gate: passed), 1 refused, 3 undecided, 5 a check of the measurement
    failed, so that no number may be trusted (5 also without --gate).
    """
    from dataclasses import replace

    from evalsuite.baselines.against import find_against
    from evalsuite.opinions.checks import judges_here
    from evalsuite.refusing import refuse
    from evalsuite.sizing.section import SizingSection
    from workspace.claims import claim
    from workspace.jobs import run_job
    from workspace.waiting import JobWaiter

    context: Context = ctx.obj
    loaded = _recipe(context, recipe, overrides or [])
    workspace = loaded.workspace if loaded else Workspace.find()
    request: EvalRequest | ServedRequest
    if served:
        given = {"RUN": runs, "--base": base, "--prompts": prompts, "--against": against}
        given |= {"--top-up": top_up, "--sequence": sequence}
        request = _served_request(context, loaded, workspace, suites or [], given)
    else:
        _fetch_base(context, loaded, workspace, base)
        alone = base is not None and against is not None and not runs
        names = runs or ([] if alone or (prompts and not gate) else ["latest"])
        request = _request(
            context, loaded, workspace, names, suites or [], base, prompts, sequence=sequence
        )
        if top_up and request.settings.sizing is None:
            settings = request.settings.model_copy(update={"sizing": SizingSection()})
            request = replace(request, settings=settings)
        if against is not None:
            stored = find_against(against, workspace, base=alone)
            request = replace(request, against=stored, alone=alone)
    request.check()
    if detach:
        refuse_with_detach(gate=gate)
        run_again_detached(context, workspace, "eval", doing="evaluating", as_json=as_json)
        return
    with run_job(workspace, "eval", context.argv) as job, ExitStack() as stack:
        if not served or judges_here(request.suites):  # what others serve needs no device here
            device = stack.enter_context(claim(waiter=JobWaiter(job, note)))
            note(f"Working on {device.device}: {device.reason}.")
        result = _run(request, workspace, job)
        job.result(result.directory)
    if failures is not None:
        from evalsuite.why.explain import write_deficits

        gaps = write_deficits(failures, result.results.failures)
        note(f"{gaps} gaps for `augment.target.deficits`: {failures}")
    if as_json:
        emit_json(result.results.model_dump(mode="json"))
    else:
        _tell(result)
    refuse(
        result.results,
        result.directory / "report.html",
        gate=gate,
        inconclusive=inconclusive or request.settings.inconclusive,
        told=not as_json,
    )


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


def canaries(
    out: Annotated[Path, typer.Argument(help="JSON Lines file to write: a source for curate.")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="Random strings.")] = 8,
    copies: Annotated[int, typer.Option(min=1, max=1000, help="Rows of each string.")] = 1,
    seed: Annotated[int, typer.Option(help="Which strings.")] = 0,
) -> None:
    """Write random strings to plant among training rows: how much of them is memorised?

    Name the file as a source of the dataset, and as `evaluate: overfitting: canaries:`. Steps that
    drop repeated rows drop copies too.
    """
    from evalsuite.overfitting.planted import canary_lines
    from workspace.errors import UsageError
    from workspace.files import write_text

    if out.exists():
        raise UsageError("this file is there already", where=str(out), cure="Name another.")
    write_text(out, "".join(f"{line}\n" for line in canary_lines(count, seed, copies)))
    note(f"{count * copies:,} rows of {count:,} random strings: {plain(str(out))}")


def register(app: typer.Typer) -> None:
    """Mount this package's commands."""
    app.command("canaries")(canaries)
    app.command("eval")(evaluate)
    app.command("report")(report)
    evalsuite.cli_history.register(app)
    evalsuite.cli_items.register(app)


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
    *,
    sequence: bool,
) -> EvalRequest:
    import shlex

    from evalsuite.engine.groups import all_members
    from evalsuite.engine.request import EvalRequest
    from evalsuite.engine.subjects import common_base, find_subject, first_base, on_own_bases
    from evalsuite.models import ModelSection, resolve_model
    from evalsuite.prompting.arms import Prompting
    from evalsuite.prompting.asking import prompting_of
    from evalsuite.recipe import EvalSection
    from evalsuite.sizing.draw import drawn
    from evalsuite.tasks import find_suite, load_suite
    from workspace.secrets import redact

    section = (recipe.section("evaluate", EvalSection) if recipe else None) or EvalSection()
    model = recipe.section("model", ModelSection) if recipe else None
    subjects = tuple(find_subject(name, workspace) for name in all_members(runs, workspace))
    whole = [load_suite(find_suite(name, workspace)) for name in suites or section.suites]
    found = drawn(whole, section.items, section.items_seed)
    if base is not None:
        source = resolve_model(ModelSection(path=base), Path.cwd())
    elif model and recipe and not any(subject.base for subject in subjects):
        source = resolve_model(model, recipe.base_dir)
    else:
        source = first_base(subjects) if sequence else common_base(subjects)
    if sequence:
        subjects = on_own_bases(subjects, source)
    return EvalRequest(
        name=recipe.name if recipe else "eval",
        base=source,
        subjects=subjects,
        suites=found,
        settings=section,
        dtype=model.dtype if model else "auto",
        prompts=prompts,
        prompting=prompting_of(section.prompts, recipe, workspace) if prompts else Prompting(),
        canaries=_planted(section, recipe),
        sequence=sequence,
        command=redact(shlex.join(context.argv)),
    )


def _planted(section: EvalSection, recipe: Recipe | None) -> tuple[Planted, ...]:
    from evalsuite.overfitting.planted import read_canaries

    file = section.overfitting.canaries
    return read_canaries((recipe.base_dir if recipe else Path()) / file) if file else ()


def _served_request(
    context: Context,
    recipe: Recipe | None,
    workspace: Workspace,
    suites: Sequence[str],
    given: Mapping[str, object],
) -> ServedRequest:
    import shlex

    from evalsuite.recipe import EvalSection
    from evalsuite.served.request import ServedRequest
    from evalsuite.sizing.draw import drawn
    from evalsuite.tasks import find_suite, load_suite
    from workspace.secrets import redact

    for name, value in given.items():
        if value:
            raise UsageError(
                f"--served and {name} do not go together",
                cause="The models compared are those of `evaluate.served`.",
                cure=f"Leave one of them out: {name} measures what is on this machine.",
            )
    section = recipe.section("evaluate", EvalSection) if recipe else None
    if recipe is None or section is None or section.served is None:
        raise UsageError(
            "no served model is named",
            where=str(recipe.path) if recipe else str(workspace.root),
            cause="--served compares the models of `evaluate.served`.",
            cure="Give it `base` and `tuned`, each with `base_url` and `model`.",
        )
    whole = [load_suite(find_suite(one, workspace)) for one in suites or section.suites]
    request = ServedRequest(
        name=recipe.name,
        served=section.served,
        suites=drawn(whole, section.items, section.items_seed),
        settings=section,
        command=redact(shlex.join(context.argv)),
    )
    request.check()
    return request


def _run(request: EvalRequest | ServedRequest, workspace: Workspace, job: Job) -> EvalResult:
    from evalsuite.run import run_evaluation

    progress = AnswerProgress(job)
    result = run_evaluation(request, workspace, progress)
    job.events.append("evaluated", result=str(result.directory), seconds=result.results.seconds)
    progress.close()
    return result


def _tell(result: EvalResult) -> None:
    from evalsuite.engine.request import BASE
    from evalsuite.overfitting.telling import tell_own_data
    from evalsuite.prompting.telling import over_prompt, tell_prompts
    from evalsuite.triage.telling import tell_triage

    for one in result.results.bases():
        print(plain(f"{one.name} is {one.place}"))
    for comparison in result.results.comparisons:
        verdict, name = comparison.verdict, comparison.tuned
        header = ["ability", "to", "items", "base", name, "difference", "95 % interval"]
        header += ["smallest visible", "verdict"]
        rows = [_row(ability) for ability in verdict.abilities]
        gains = [one for one in result.results.prompt_gains if one.tuned == comparison.key]
        if gains:
            header.append("over the best prompt")
            for row, ability in zip(rows, verdict.abilities, strict=True):
                row.append(over_prompt(gains, name, ability))
        emit_table(f"{name} against {comparison.base}", header, rows, numeric=(2, 3, 4, 5, 6, 7))
        print(plain(f"{_SIGN[verdict.status]} {verdict.headline}"))
        for line in _why(verdict):
            print(plain(f"  {line}"))
        print()
        if comparison.base == BASE:  # beside a stored model they would be told twice
            tell_triage(result.results.triage_of(name))
            tell_own_data(result.results.own_data_of(name))
    _tell_sequence(result)
    tell_prompts(result.results)
    _tell_judges(result)
    for advice in result.results.recommendations:
        print(plain(f"{advice.sentence}\n"))
    for remark in result.results.notes:
        note(f"note: {remark}")
    for path in result.reports:
        print(path)


def _tell_sequence(result: EvalResult) -> None:
    from evalsuite.report.sequence_words import sequence_sentences
    from evalsuite.sentences import score

    record = result.results.sequence
    if record is None:
        return
    rows = [("base", record.base), *zip(record.runs, record.scores, strict=True)]
    cells = [[name, *(score(value) for value in scores)] for name, scores in rows]
    columns = range(1, len(record.tasks) + 1)
    emit_table("one run after another", ["after", *record.tasks], cells, numeric=tuple(columns))
    for sentence in sequence_sentences(record):
        print(plain(sentence))
    print()


def _tell_judges(result: EvalResult) -> None:
    from evalsuite.report.judgement_words import judge_sentence, win_sentence

    for rate in result.results.win_rates:
        print(plain(win_sentence(rate)))
    for judge in result.results.judges:
        print(plain(judge_sentence(judge)))
    if result.results.judges:
        print()


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
    from evalsuite.sentences import change, score, size

    bounded = ability.bounded
    interval = "–"
    if ability.low is not None and ability.high is not None:
        low, high = (change(end, bounded=bounded) for end in (ability.low, ability.high))
        interval = f"{low} to {high}"
    name = f"{ability.name} (held back)" if ability.held_back else ability.name
    return [
        name,
        "gain" if ability.purpose == "target" else "keep",
        f"{ability.n:,}",
        score(ability.base, bounded=bounded),
        score(ability.tuned, bounded=bounded),
        change(ability.difference, bounded=bounded),
        interval,
        size(ability.minimum_detectable_effect, bounded=bounded),
        "undecided" if ability.verdict == "inconclusive" else ability.verdict,
    ]
