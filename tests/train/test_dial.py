"""`temper dial` from end to end on tiny runs: measured, drawn, written out, killed, refused."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from evalsuite.models import ModelSection
from evalsuite.recipe import EvalSection
from train.cli import register
from train.dial.origin import find_origin
from train.dial.write import _record
from train.recipe import TrainSection
from workspace.context import Context
from workspace.errors import (
    EvaluationInvalid,
    GateFailed,
    GateInconclusive,
    ModelError,
    Stopped,
    TemperError,
    UsageError,
)
from workspace.jobs import list_jobs

app = typer.Typer()
SECTIONS = {"model": ModelSection, "train": TrainSection, "evaluate": EvalSection}
ITEMS = 24
LORA = {"kind": "lora", "r": 4}


@app.callback()
def root(context: typer.Context) -> None:
    context.obj = Context(lambda: SECTIONS, ("temper", "dial"))


register(app)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft 0.21 asks transformers an old way
        yield


def write_suites(root: Path, chats: Sequence[dict[str, Any]], margin: float = 1.0) -> None:
    """How likely what the rows teach is (the target), and how likely other text (to be kept)."""
    folder = root / "suites"
    folder.mkdir(exist_ok=True)
    rows = [
        {"id": row["id"], "gain": row["messages"][1]["content"], "keep": f"{number} Zebras? No!"}
        for number, row in enumerate(chats[:ITEMS])
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, purpose in (("gain", "target"), ("keep", "retention")):
        task = {"name": f"{name}-ability", "kind": "perplexity", "data": "rows.jsonl"}
        suite = {
            "schema_version": 1,
            "name": name,
            "purpose": purpose,
            "margin": margin,
            "min_items": 8,
            "tasks": [{**task, "text": f"{{{{ {name} }}}}"}],
        }
        (folder / f"{name}.yaml").write_text(json.dumps(suite))


@pytest.fixture
def dial(bench: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `temper dial …` in the workspace; errors come out as they are."""
    write_suites(bench.root, bench.chats(37))
    monkeypatch.chdir(bench.root)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> Any:
        suites = ("--suite", "gain", "--suite", "keep")
        given = () if {"--suite", "--recipe"} & set(arguments) else suites
        result = CliRunner().invoke(app, ["dial", *arguments, *given])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result

    return call


def settings(bench: Any, **evaluate: Any) -> None:
    """Add an `evaluate` section to the recipe."""
    path = bench.root / "temper.yaml"
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "evaluate": evaluate}))


@pytest.fixture(scope="module")
def kept_runs() -> dict[str, Path]:
    """Copies of finished runs by how they were trained: each is trained once."""
    return {}


@pytest.fixture
def trained(bench: Any, kept_runs: dict[str, Path], tmp_path_factory: Any) -> Any:
    """Return a finished run of the workspace."""

    def make(**given: Any) -> Path:
        train = {"adapter": LORA, "steps": 8, "checkpoint_every": 3, **given}
        key = json.dumps(train, sort_keys=True)
        if key in kept_runs:
            bench.recipe(train)
            kept = kept_runs[key]
            run = shutil.copytree(kept, bench.workspace.make(bench.workspace.runs) / kept.name)
        else:
            run = bench.train(train)
            kept_runs[key] = shutil.copytree(run, tmp_path_factory.mktemp("kept") / run.name)
        settings(bench, noise_items=4)
        return run

    return make


def test_scales_and_checkpoints_are_measured_drawn_and_one_is_written(
    bench: Any, dial: Any, trained: Any
) -> None:
    run = trained(learning_rate=0.05)
    told = dial("toy", "--scales", "0.5", "--write", "--at", "0.5")
    assert "nearest to its margin" in told.stdout
    (directory,) = (path.parent for path in bench.workspace.evals.glob("*/dial.json"))
    document = json.loads((directory / "dial.json").read_text())
    assert [row["point"]["name"] for row in document["points"]] == [
        "0", "0.5", "1", "step-3", "step-6",
    ]  # fmt: skip
    assert document["run"] == run.name and document["tuner"] == "LORA"
    gains = [row["standing"]["gain"] for row in document["points"]]
    assert gains[0] == 0.0 and gains[2] > 0.02
    assert {canary["status"] for canary in document["canaries"]} == {"pass"}
    samples = pq.read_table(directory / "samples.parquet").to_pylist()
    assert len(samples) == 5 * 2 * ITEMS
    assert {row["model"] for row in samples} == {"0", "0.5", "1", "step-3", "step-6"}

    svg = ElementTree.fromstring((directory / "frontier.svg").read_text())
    assert {"0", "0.5", "1", "step-3", "step-6"} <= {text.text for text in svg.iter()}
    page = (directory / "dial.html").read_text()
    assert "<script" not in page and "default-src 'none'" in page and "0.5" in page

    (written,) = (path for path in bench.workspace.runs.iterdir() if path != run)
    record = json.loads((written / "run.json").read_text())
    assert record["name"] == "toy-dialled" and record["dialled"]["parent"] == run.name
    assert (
        record["dialled"]["scale"] == 0.5 and record["dialled"]["on_all_items"]["gain"] == gains[1]
    )
    manifest = json.loads((written / "model" / "manifest.json").read_text())
    assert manifest["dialled"]["parent_digest"] == document["points"][2]["digest"]
    assert json.loads((written / "dial.json").read_text()) == document
    assert f"temper eval {written.name}" in told.stdout

    # a run like any other: it can be dialled itself, and at 1 it is what was measured at 0.5
    again = json.loads(dial(written.name, "--scales", "1", "--json").stdout)
    assert [row["point"]["name"] for row in again["points"]] == ["0", "1"]
    assert again["points"][1]["standing"] == document["points"][1]["standing"]
    log = (last_job(bench).dir / "events.jsonl").read_text()
    events = [json.loads(line) for line in log.splitlines()]
    assert [event["kind"] for event in events].count("dialled") == 2


def last_job(bench: Any) -> Any:
    return next(job for job in list_jobs(bench.workspace) if job.kind == "dial")


@pytest.mark.slow
def test_a_checkpoint_is_written_as_it_was(bench: Any, dial: Any, trained: Any) -> None:
    run = trained()
    dial("toy", "--scales", "1", "--write", "--at", "step-3", "--name", "early")
    (written,) = (path for path in bench.workspace.runs.iterdir() if path != run)
    name = "adapter_model.safetensors"
    kept = (run / "checkpoints/step-3" / name).read_bytes()
    from safetensors.torch import load

    one, two = load(kept), load((written / "model" / name).read_bytes())
    assert one.keys() == two.keys() and all(one[key].equal(two[key]) for key in one)
    record = json.loads((written / "run.json").read_text())
    assert record["steps"] == 3 and record["name"] == "early"


@pytest.mark.slow
def test_a_full_run_is_interpolated_and_the_recommended_point_written(
    bench: Any, dial: Any, trained: Any
) -> None:
    run = trained(adapter={"kind": "full"}, learning_rate=0.001)
    document = json.loads(
        dial("toy", "--scales", "0.5", "--no-checkpoints", "--write", "--json").stdout
    )
    assert document["tuner"] == "full" and len(document["points"]) == 3
    assert document["recommendation"]["expected"]["items"] == ITEMS
    written = Path(document["written"])
    assert written != run and (written / "model" / "model.safetensors").is_file()
    chosen = document["recommendation"]["point"]
    record = json.loads((written / "run.json").read_text())
    assert record["dialled"]["recommended"] and record["dialled"]["scale"] == chosen["scale"]
    same = json.loads(dial(written.name, "--scales", "1", "--json").stdout)
    at = next(row for row in document["points"] if row["point"] == chosen)
    assert same["points"][1]["standing"]["gain"] == at["standing"]["gain"]


@pytest.mark.slow
def test_a_stopped_dial_goes_on_where_it_was(
    bench: Any, dial: Any, trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from train import cli_dial

    trained()
    straight = json.loads(dial("toy", "--json").stdout)
    shutil.rmtree(bench.workspace.evals)
    heard = cli_dial.AnswerProgress.answered

    def stopping(self: Any, model: str, task: str, done: int, total: int) -> None:
        if model == "0.6":
            signal.raise_signal(signal.SIGTERM)
        heard(self, model, task, done, total)

    monkeypatch.setattr(cli_dial.AnswerProgress, "answered", stopping)
    with pytest.raises(Stopped) as caught:
        dial("toy")
    assert caught.value.exit_code == 143 and "goes on from there" in caught.value.cure
    assert last_job(bench).state == "stopped"
    assert not list(bench.workspace.evals.glob("*/dial.json"))
    monkeypatch.undo()
    monkeypatch.chdir(bench.root)
    resumed = json.loads(dial("toy", "--json").stdout)
    assert resumed["points"] == straight["points"]
    assert resumed["recommendation"] == straight["recommendation"]
    kept = next(note for note in resumed["notes"] if "kept from before" in note)
    assert int(kept.split()[0]) >= 3 * 2 * ITEMS  # the base, 0.2 and 0.4 were done


@pytest.mark.slow
def test_the_tuned_model_is_not_asked_again_after_an_evaluation(
    bench: Any, dial: Any, trained: Any
) -> None:
    import evalsuite.cli

    trained()
    whole = typer.Typer()
    whole.callback()(root)
    evalsuite.cli.register(whole)
    given = ["eval", "toy", "--suite", "gain", "--suite", "keep"]
    result = CliRunner().invoke(whole, given)
    assert result.exit_code == 0, result.output
    document = json.loads(dial("toy", "--scales", "1", "--no-checkpoints", "--json").stdout)
    assert f"{2 * 2 * ITEMS} of {2 * 2 * ITEMS} answers were kept from before" in document["notes"]


@pytest.mark.slow
def test_where_no_point_keeps_what_is_to_be_kept_none_is_written(
    bench: Any, dial: Any, trained: Any
) -> None:
    """At this rate what was not trained on becomes unlikely at once."""
    trained(adapter={"kind": "full"}, learning_rate=0.02)
    write_suites(bench.root, bench.chats(37), margin=0.01)
    with pytest.raises(TemperError, match="none is written") as caught:
        dial("toy", "--scales", "1", "--no-checkpoints", "--write")
    assert caught.value.exit_code in (1, 3) and "--at" in caught.value.cure
    assert len(list(bench.workspace.runs.iterdir())) == 1
    assert isinstance(caught.value, GateFailed) == (caught.value.exit_code == 1)
    told = dial("toy", "--scales", "1", "--no-checkpoints")
    assert "No point is recommended" in told.stdout and "write it" not in told.stdout


def test_an_adapter_without_effect_voids_the_dial(bench: Any, dial: Any, trained: Any) -> None:
    from safetensors.torch import load_file, save_file

    from train.checkpoints import write_manifest

    run = trained()
    file = run / "model" / "adapter_model.safetensors"
    save_file({name: one * 0 for name, one in load_file(file).items()}, file)
    write_manifest(run / "model", adapter="lora")
    with pytest.raises(EvaluationInvalid, match="not valid") as caught:
        dial("toy", "--scales", "1", "--no-checkpoints", "--write", "--at", "1")
    assert caught.value.exit_code == 5 and len(list(bench.workspace.runs.iterdir())) == 1
    page = Path(caught.value.where).read_text()
    assert "no number may be trusted" in page
    document = json.loads(Path(caught.value.where).with_name("dial.json").read_text())
    assert document["refusal"] == "invalid" and document["recommendation"] is None


def test_what_cannot_be_dialled_is_refused_before_anything_is_loaded(
    bench: Any, dial: Any, trained: Any
) -> None:
    run = trained()
    for arguments, words in (
        (("nobody",), "no run called"),
        (("toy", "--scales", "1.5"), "from 0 to 1"),
        (("toy", "--scales", "many"), "from 0 to 1"),
        (("toy", "--suite", "nothing"), "nothing"),
        (("toy", "--suite", "gain"), "no suite of what is to be kept"),
        (("toy", "--suite", "keep"), "no suite of what is to be gained"),
        (("toy", "--at", "0.5"), "nothing is to be written"),
        (("toy", "--write", "--at", "0"), "scale 0 is the base"),
        (("toy", "--write", "--at", "step-5"), "no such checkpoint"),
        (("toy", "--write", "--name", "No Name"), "cannot be the name"),
    ):
        with pytest.raises(UsageError) as caught:
            dial(*arguments)
        assert words in str(caught.value), arguments
    assert not [job for job in list_jobs(bench.workspace) if job.kind == "dial"]

    shutil.move(run / "model", run / "elsewhere")
    with pytest.raises(ModelError, match="no finished model"):
        dial("toy")
    shutil.move(run / "elsewhere", run / "model")
    (run / "model" / "adapter_model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelError, match="damaged"):
        dial("toy")


def test_a_reward_model_and_a_tuner_without_a_scale_are_refused(
    bench: Any, dial: Any, trained: Any
) -> None:
    run = trained()
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "method": "reward"}))
    with pytest.raises(UsageError, match="reward model"):
        dial("toy")
    shutil.rmtree(run)
    options = {"oft_block_size": 8, "r": 0}
    trained(adapter={"kind": "peft", "tuner": "OFT", "options": options}, steps=1)
    with pytest.raises(UsageError, match="OFT cannot be dialled") as caught:
        dial("toy")
    assert "half of a turn" in caught.value.cause


def test_checkpoints_that_hold_no_model_are_told(bench: Any, trained: Any) -> None:
    """PiSSA's need what was taken out of the base; a damaged one is left out."""
    pissa = trained(adapter={**LORA, "init": "pissa"})
    origin = find_origin(pissa.name, bench.workspace)
    assert not origin.checkpoints and "took out of it" in origin.notes[0]
    plain = trained()
    (plain / "checkpoints/step-3/adapter_model.safetensors").write_bytes(b"damaged")
    origin = find_origin(plain.name, bench.workspace)
    assert list(origin.checkpoints) == [6] and "checkpoint 3 is not measured" in origin.notes[0]


def test_text_from_a_suite_cannot_act_in_the_pictures(bench: Any, dial: Any, trained: Any) -> None:
    trained()
    path = bench.root / "suites" / "keep.yaml"
    suite = json.loads(path.read_text())
    suite["tasks"][0]["ability"] = "<script>alert(1)</script>\x1b[31m"
    path.write_text(json.dumps(suite))
    told = dial("toy", "--scales", "1", "--no-checkpoints")
    (directory,) = (p.parent for p in bench.workspace.evals.glob("*/dial.json"))
    for file in ("dial.html", "frontier.svg"):
        text = (directory / file).read_text()
        assert "<script" not in text and "\x1b" not in text
    assert "\x1b[31m" not in told.stdout


PAGE = (Path(__file__).parents[2] / "docs" / "train-tempering-dial.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_examples_of_the_documentation_run(bench: Any, dial: Any, trained: Any) -> None:
    commands = re.findall(r"^temper dial (mine.*?)(?: +#.*)?$", PAGE, re.MULTILINE)
    assert len(commands) >= 3
    trained(learning_rate=0.05)
    settings(bench, noise_items=4, suites=["gain", "keep"])
    for command in commands:
        # no point may be worth recommending on a model this small: then nothing is written
        with contextlib.suppress(GateFailed, GateInconclusive):
            dial(*command.replace("mine", "toy").split())
    assert any(path.name.split("-")[2] == "mild" for path in bench.workspace.runs.iterdir())


def test_a_dialled_run_has_no_place_among_the_runs_of_its_parent(tmp_path: Path) -> None:
    marks = ("published", "group", "rebased", "stage", "micro_batches")
    parent: Any = SimpleNamespace(
        record={"steps": 4, "method": "sft", **{mark: {} for mark in marks}}
    )
    job: Any = SimpleNamespace(id="20260101-000000-dial-aaaa")
    record = _record("20260101-000000-toy-bbbb", parent, job, {"checkpoint": None})
    assert not set(marks) & set(record)
    assert (record["name"], record["method"], record["steps"]) == ("toy", "sft", 4)
