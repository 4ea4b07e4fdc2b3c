"""Trackers get each step's figures, are none by default, and never end or hold up a run.

Stand-ins on the path, with the functions that transformers calls, write down what they are told.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from train.recipe import TrainSection
from train.record import read_record
from train.reporter import Silent
from train.trackers import TrackerName, destination
from workspace.errors import RecipeError, UsageError
from workspace.events import read_events
from workspace.files import hash_file

COMMON = """
import json, os, time
from pathlib import Path
BEHAVIOUR = json.loads(os.environ["STAND_IN"])
def told(what, **fields):
    print("a greeting")
    with Path(BEHAVIOUR["file"]).open("a") as stream:
        stream.write(json.dumps({"what": what, **fields}, default=str) + "\\n")
    if BEHAVIOUR.get("fails") == what:
        raise eval(BEHAVIOUR["error"])
    if BEHAVIOUR.get("hangs") == what:
        time.sleep(BEHAVIOUR["seconds"])
"""
RUN = """
class Config(dict):
    def update(self, found, allow_val_change=True):
        dict.update(self, found)
        told("config", **{key: str(value) for key, value in found.items()})
config = Config()
class Run:
    summary = {}
    def __init__(self, name): self.name = self.id = name
    def _label(self, code): pass
"""
WANDB = (
    COMMON
    + RUN
    + """
run = environment = None
def init(**given):
    global run, environment
    run = Run(given.get("name"))
    if environment is None:  # once for a process, as wandb does
        environment = {k: v for k, v in os.environ.items() if k.startswith("WANDB")}
    told("init", **given, environment=environment)
def log(figures): told("log", **figures)
def define_metric(*names, **given): pass
def termwarn(*names, **given): pass
def finish():
    global run
    run = None
    told("finish")
def teardown():
    global environment
    environment = None
"""
)
MLFLOW = (
    COMMON
    + """
__version__ = "3.1.0"
_run = None
class Active:
    class info: run_id = "1"
class pyfunc: pass
def is_tracking_uri_set(): return False
def set_tracking_uri(uri): told("uri", uri=uri)
def get_tracking_uri(): return ""
def active_run(): return _run
def set_experiment(name): told("experiment", name=name)
def start_run(run_name, nested):
    global _run
    _run = Active
    told("start", name=run_name)
def log_params(found, **given): told("params", **{str(k): str(v) for k, v in found.items()})
def set_tags(found): pass
def log_metrics(metrics, step, **given): told("log", step=step, **metrics)
def end_run():
    global _run
    _run = None
    told("finish")
class utils:
    class validation:
        MAX_PARAMS_TAGS_PER_BATCH, MAX_PARAM_VAL_LENGTH = 100, 6000
"""
)
TRACKIO = (
    COMMON
    + RUN
    + """
from contextvars import ContextVar
__version__ = "0.1.0"
class context_vars:
    current_run, current_space_id = ContextVar("run", default=None), ContextVar("s", default=None)
def init(**given):
    context_vars.current_run.set(Run(given.get("name")))
    told("init", **given)
def log(figures): told("log", **figures)
def finish():
    context_vars.current_run.set(None)
    told("finish")
"""
)

StandIn = Callable[..., Callable[[], list[dict[str, Any]]]]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Put a stand-in on the path; return what reads what it was told."""
    for name in [name for name in os.environ if name.startswith(("WANDB", "MLFLOW", "TRACKIO"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    put = []

    def make(name: str, **behaviour: Any) -> Callable[[], list[dict[str, Any]]]:
        package = tmp_path / "path" / name
        (package / "sdk/lib").mkdir(parents=True)
        source = {"wandb": WANDB, "mlflow": MLFLOW, "trackio": TRACKIO}[name]
        (package / "__init__.py").write_text(source)
        if name == "mlflow":
            (package.parent / "sqlalchemy").mkdir()
            (package.parent / "sqlalchemy/__init__.py").touch()
        if name == "wandb":
            for part in (package / "sdk", package / "sdk/lib"):
                (part / "__init__.py").touch()
            (package / "sdk/lib/config_util.py").write_text("class ConfigError(Exception): pass\n")
        told = tmp_path / f"{name}.jsonl"
        monkeypatch.setenv("STAND_IN", json.dumps({"file": str(told), **behaviour}))
        monkeypatch.syspath_prepend(str(package.parent))
        put.append(name)
        return lambda: [json.loads(line) for line in told.read_text().splitlines()]

    yield make
    for name in put:
        for module in [one for one in sys.modules if one.partition(".")[0] == name]:
            del sys.modules[module]


def alarms(run: Path) -> list[dict[str, Any]]:
    events, _ = read_events(run.parent.parent / "jobs" / read_record(run)["job"] / "events.jsonl")
    return [one for one in events if one["kind"] == "alarm"]


def weights(run: Path) -> str:
    return hash_file(run / "model" / "adapter_model.safetensors")


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_tracker_gets_every_step_and_changes_nothing(
    bench: Any,
    stand_in: StandIn,
    losses: Any,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    read = stand_in(name)
    run = bench.train({"trackers": [name], "steps": 3})
    said = capsys.readouterr()
    assert "a greeting" in said.err and said.out == ""  # where results go
    told = read()
    logged = [one for one in told if one["what"] == "log"]
    found = [one[key] for one in logged for key in ("loss", "train/loss") if key in one]
    assert found == losses(run) and len(found) == 3
    assert any(run.name == one.get("name") for one in told if one["what"] in ("init", "start"))
    assert told[-1]["what"] == "finish"
    assert alarms(run) == []
    assert not any(one.startswith(("WANDB", "MLFLOW")) for one in os.environ)
    assert weights(run) == weights(bench.train({"steps": 3}))


def test_wandb_without_a_key_stays_on_this_machine(bench: Any, stand_in: StandIn) -> None:
    read = stand_in("wandb")
    run = bench.train({"trackers": ["wandb"], "steps": 1})
    (began,) = [one for one in read() if one["what"] == "init"]
    environment = began["environment"]
    assert environment["WANDB_MODE"] == "offline"
    assert environment["WANDB_DIR"] == str(run / "trackers")
    assert (environment["WANDB_RUN_ID"], environment["WANDB_RESUME"]) == (run.name, "allow")
    assert (environment["WANDB_CONSOLE"], began["project"]) == ("off", "toy")


def test_each_run_of_a_process_is_a_run_of_its_own_to_wandb(bench: Any, stand_in: StandIn) -> None:
    read = stand_in("wandb")
    runs = [bench.train({"trackers": ["wandb"], "steps": 1}) for _ in range(2)]
    seen = [one["environment"] for one in read() if one["what"] == "init"]
    assert [one["WANDB_RUN_ID"] for one in seen] == [run.name for run in runs]
    assert [one["WANDB_DIR"] for one in seen] == [str(run / "trackers") for run in runs]


def test_a_person_s_own_settings_are_kept(
    bench: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = stand_in("wandb")
    monkeypatch.setenv("WANDB_API_KEY", "canary-of-wandb-0123456789")
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    monkeypatch.setenv("WANDB_LOG_MODEL", "end")
    run = bench.train({"trackers": ["wandb"], "steps": 1})
    (began,) = [one for one in read() if one["what"] == "init"]
    assert began["project"] == "mine" and "WANDB_MODE" not in began["environment"]
    assert alarms(run) == []  # asked to upload weights, which it is not given
    files = [path for path in run.rglob("*") if path.is_file()]
    assert not any(b"canary-of-wandb" in path.read_bytes() for path in files)


@pytest.mark.parametrize(
    ("when", "error"),
    [
        ("init", "ConnectionError('no route to api with key canary-of-wandb-0123456789')"),
        ("init", "SystemExit(1)"),
        ("log", "RuntimeError('the server is gone')"),
        ("finish", "KeyboardInterrupt()"),
    ],
)
def test_a_tracker_that_fails_is_an_alarm_and_the_run_goes_on(
    bench: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, when: str, error: str
) -> None:
    class Listener(Silent):
        said: list[str] = []  # noqa: RUF012

        def note(self, text: str) -> None:
            self.said.append(text)

    read = stand_in("wandb", fails=when, error=error)
    monkeypatch.setenv("WANDB_API_KEY", "canary-of-wandb-0123456789")
    run = bench.train({"trackers": ["wandb"], "steps": 3}, reporter=Listener())
    assert (run / "model").is_dir()
    (alarm,) = alarms(run)
    assert (alarm["alarm"], alarm["tracker"]) == ("tracker", "wandb")
    assert error.split("(")[0] in alarm["what"] and "canary" not in alarm["what"]
    assert any("wandb failed and is told nothing more" in one for one in Listener.said)
    assert sum(one["what"] == when for one in read()) == 1


def test_a_tracker_that_hangs_holds_up_no_step(
    bench: Any, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.trl_bridge.trackers._PATIENCE_SECONDS", 0.2)
    stand_in("wandb", hangs="init", seconds=20)
    began = time.monotonic()
    run = bench.train({"trackers": ["wandb"], "steps": 3})
    assert time.monotonic() - began < 15 and (run / "model").is_dir()
    (alarm,) = alarms(run)
    assert "it had not finished" in alarm["what"]


def test_one_that_is_not_installed_is_answered_before_anything_is_read(bench: Any) -> None:
    if any(Path(place, "trackio").exists() for place in sys.path):
        pytest.skip("trackio is installed")
    bench.dataset("toy", [])
    with pytest.raises(UsageError, match="trackio is not installed") as caught:
        bench.prepare({"trackers": ["trackio"]})
    assert caught.value.cure == "pip install trackio"


def test_a_small_mlflow_without_a_server_is_answered_too(
    bench: Any, stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("mlflow")
    shutil.rmtree(tmp_path / "path/sqlalchemy")
    if importlib.util.find_spec("sqlalchemy"):
        pytest.skip("sqlalchemy is installed")
    with pytest.raises(UsageError, match="no database to write to") as caught:
        bench.prepare({"trackers": ["mlflow"]})
    assert "MLFLOW_TRACKING_URI" in caught.value.cure
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert bench.prepare({"trackers": ["mlflow"]}).plan.steps == 6


def test_there_is_none_by_default_and_a_typo_is_told(bench: Any) -> None:
    assert bench.recipe().sections["train"].trackers == []
    with pytest.raises(RecipeError, match="trackers"):
        bench.recipe({"trackers": ["wanbd"]})
    with pytest.raises(RecipeError, match="each tracker once"):
        bench.recipe({"trackers": ["wandb", "wandb"]})


@pytest.mark.filterwarnings("ignore")  # of tensorboard's own dependencies
def test_tensorboard_reads_the_losses_of_the_record(
    bench: Any, losses: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    run = bench.train({"trackers": ["tensorboard"], "steps": 3})
    assert alarms(run) == []
    written = EventAccumulator(str(run / "trackers/tensorboard"))
    written.Reload()
    found = written.Scalars("train/loss")
    assert [one.step for one in found] == [1, 2, 3]
    assert [one.value for one in found] == pytest.approx(losses(run), rel=1e-6)


def test_the_documentation_names_every_tracker() -> None:
    text = (Path(__file__).parents[2] / "docs/train-trackers.md").read_text()
    example = YAML(typ="safe").load(text.split("```yaml")[1].split("```")[0])
    assert TrainSection.model_validate(example["train"]).trackers == ["tensorboard", "wandb"]
    for name in get_args(TrackerName):
        assert f"| `{name}` | `pip install {name}` |" in text


def test_where_figures_go_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL", "TRACKIO_SPACE_ID"):
        monkeypatch.delenv(name, raising=False)
    assert destination("wandb").startswith("the run's directory (offline")
    monkeypatch.setenv("WANDB_API_KEY", "x" * 20)
    assert destination("wandb") == "https://api.wandb.ai"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert destination("mlflow") == "https://mlflow.example"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://ml:hunter2hunter2@db/runs")
    assert destination("mlflow") == "postgresql://[secret]@db/runs"
    assert destination("trackio") == "trackio's files on this machine"
