"""`temper eval` as typed: what it prints, writes and exits with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

import evalsuite.cli
from workspace.cli import run
from workspace.context import Context


@pytest.fixture
def workspace(
    tmp_path: Path,
    tiny_model: Path,
    tiny_adapter: Path,
    suite_writer: Callable[..., list[Path]],
    run_writer: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    suite_writer(tmp_path / "suites")
    run_writer(tmp_path / "runs" / "20261120-000000-mine-abcd", tiny_model, tiny_adapter)
    (tmp_path / "temper.yaml").write_text(
        f"name: tiny\nmodel: {{path: {tiny_model}, dtype: float32}}\n"
        "evaluate:\n  suites: [gain, keep]\n  batch_rows: 32\n  noise_items: 4\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def temper(*arguments: str) -> int:
    from evalsuite.models import ModelSection
    from evalsuite.recipe import EvalSection

    app = typer.Typer(pretty_exceptions_enable=False)

    @app.callback()
    def root(ctx: typer.Context) -> None:
        ctx.obj = Context(
            lambda: {"model": ModelSection, "evaluate": EvalSection}, ("temper", *arguments)
        )

    evalsuite.cli.register(app)
    return run(lambda: app(list(arguments)))


def test_eval_of_the_latest_run_prints_a_table_the_verdict_and_the_reports(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval") == 0
    out, err = capsys.readouterr()
    assert "mine against base" in out
    assert "gain-write" in out and "keep-choose" in out
    paths = [Path(line) for line in out.splitlines() if line.endswith(".html")]
    assert len(paths) == 1 and paths[0].is_file()
    assert "no NVIDIA GPU" in err or "CUDA_VISIBLE_DEVICES" in err
    results = json.loads((paths[0].parent / "results.json").read_text())
    assert results["commands"] == ["temper eval"]
    (job,) = (workspace / "jobs").iterdir()
    record = json.loads((job / "job.json").read_text())
    assert (record["state"], record["result"]) == ("finished", f"evals/{results['id']}")


def test_the_gate_turns_the_verdict_into_an_exit_code(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", "mine", "--gate", "--json") in (1, 3)
    document = json.loads(capsys.readouterr().out)
    status = document["comparisons"][0]["verdict"]["status"]
    assert status in ("fail", "inconclusive")
    assert temper("eval", "mine", "--gate", "--inconclusive", "fail") == 1
    assert temper("eval", "mine") == 0


def test_an_invalid_evaluation_exits_with_five_even_without_the_gate(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = workspace / "runs" / "20261120-000000-mine-abcd" / "run.json"
    document = json.loads(record.read_text())
    document["eos_ids"] = [77]
    record.write_text(json.dumps(document))
    assert temper("eval") == 5
    assert "end token" in capsys.readouterr().out


def test_a_plain_model_directory_needs_a_base_and_a_suite(
    workspace: Path, tiny_model: Path, tiny_adapter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "temper.yaml").unlink()
    suite = ("--suite", "keep")
    assert temper("eval", str(tiny_adapter), *suite, "--base", str(tiny_model)) == 0
    assert "adapter against base" in capsys.readouterr().out
    assert temper("eval", str(tiny_adapter)) == 2
    assert "no suite was given" in capsys.readouterr().err
    assert temper("eval", str(tiny_model), *suite) == 2
    assert "the base model is not known" in capsys.readouterr().err


def test_prompts_alone_need_no_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert temper("eval", "--prompts", "--set", "evaluate.suites=[gain]") == 0
    told = capsys.readouterr().out
    assert "the base by prompts alone" in told
    assert "Tune: the best prompt, " in told and "a thousand requests read " in told


def test_the_gate_means_the_latest_run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert temper("eval", "--gate", "--prompts") == 1
    told = capsys.readouterr()
    assert "mine against base" in told.out and "over the best prompt" in told.out
    assert (
        "the gate refused this model" in told.err
        and "fell although it was to be gained" in told.err
    )


def test_a_base_that_moved_can_be_named(
    workspace: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = workspace / "runs" / "20261120-000000-mine-abcd" / "run.json"
    document = json.loads(record.read_text())
    document["base"]["path"] = str(workspace / "gone")
    record.write_text(json.dumps(document))
    assert temper("eval", "mine", "--suite", "keep") == 2
    assert "the base of this run is gone" in capsys.readouterr().err
    assert temper("eval", "mine", "--suite", "keep", "--base", str(tiny_model)) == 0


def test_report_draws_again_what_was_lost(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", "--suite", "keep", "--json") == 0
    directory = workspace / "evals" / json.loads(capsys.readouterr().out)["id"]
    before = (directory / "report.md").read_bytes()
    for name in ("report.html", "report.md", "junit.xml"):
        (directory / name).unlink()
    assert temper("report", "latest") == 0
    printed = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert printed == ["report.html", "report.md", "junit.xml"]
    assert (directory / "report.md").read_bytes() == before


def test_what_does_not_exist_is_one_message_and_exit_code_two(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", "nothing-like-it") == 2
    assert temper("eval", "--suite", "nothing-like-it") == 2
    assert temper("report", "nothing-like-it") == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "there is no suite called 'nothing-like-it'" in err


def test_a_chain_of_runs_is_a_sequence_from_its_first_base(
    workspace: Path,
    tiny_model: Path,
    tiny_adapter: Path,
    adapter_maker: Callable[..., Path],
    run_writer: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    second = workspace / "runs" / "20261121-000000-second-abcd"
    start = second / "start"
    merge(tiny_model, tiny_adapter, start)
    other = adapter_maker(start, workspace / "other", seed=5)
    run_writer(second, start, other)
    first = json.loads((workspace / "runs/20261120-000000-mine-abcd/run.json").read_text())
    record = json.loads((second / "run.json").read_text())
    begins = {"run": first["id"], "root": first["base"]}
    (second / "run.json").write_text(json.dumps({**record, "name": "second", "begins": begins}))
    task = (workspace / "suites" / "gain.yaml").read_text().split("  - name: gain-read")[0]
    (workspace / "suites" / "gain.yaml").write_text(task)
    assert temper("eval", "mine", "second", "--sequence") == 0
    directory = Path(
        next(line for line in capsys.readouterr().out.splitlines() if line.endswith(".html"))
    ).parent
    results = json.loads((directory / "results.json").read_text())
    assert results["sequence"]["runs"] == ["mine", "second"]
    base, _, tuned = results["models"]
    assert base["path"] == str(tiny_model)
    assert tuned["digest"] == record["base"]["digest"] != base["digest"]
    checks = {one["name"]: one for one in results["comparisons"][1]["verdict"]["canaries"]}
    assert {one["status"] for one in checks.values()} == {"pass"}
    assert temper("eval", "mine", "second") == 2  # side by side they have no common base
    assert "different bases" in capsys.readouterr().err


def test_a_part_of_the_items_is_asked_and_said(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert temper("eval", "mine", "--set", "evaluate.items=20", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    abilities = document["comparisons"][0]["verdict"]["abilities"]
    assert {one["n"] for one in abilities} == {20}
    assert any("gain-write 20 of 24" in note for note in document["notes"])


def merge(model: Path, adapter: Path, directory: Path) -> None:
    """Write a whole model with an adapter in its weights, as a run that goes on keeps it."""
    from evalsuite.models.load import load_adapter, load_model

    base = load_model(model, dtype="float32", device="cpu")
    load_adapter(base, adapter).merge_and_unload().save_pretrained(directory)
    for file in model.glob("*.j*"):
        if "token" in file.name or file.suffix == ".jinja":
            (directory / file.name).write_bytes(file.read_bytes())
