"""Models behind addresses are compared as any other, and no answer is paid for twice."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from evalsuite.recipe import EvalSection
from evalsuite.run import run_evaluation
from evalsuite.scorers import JudgeScorer
from evalsuite.served.likelihood import _Token, last_tokens
from evalsuite.served.measure import measure_served
from evalsuite.served.request import ServedRequest
from evalsuite.served.section import ServedSection
from evalsuite.tasks import LoadedSuite, load_suite
from tests.evalsuite.served.conftest import Body, Server
from tui.command_line import app
from workspace.errors import LimitExceeded, Stopped, UsageError, WorkError
from workspace.layout import Workspace

DOCS = (Path(__file__).parents[3] / "docs" / "eval-engine.md").read_text(encoding="utf-8")


COUNT = 6
"""Items of each task."""


class Watcher:
    def __init__(self, stop_after: int | None = None) -> None:
        self.stop_after = stop_after
        self.told: list[tuple[str, str, int, int]] = []

    def doing(self, what: str) -> None:
        pass

    def answered(self, model: str, task: str, done: int, total: int) -> None:
        self.told.append((model, task, done, total))
        if self.stop_after is not None and done >= self.stop_after:
            raise Stopped(15)


@pytest.fixture
def suites(tmp_path: Path, suite_writer: Callable[..., list[Path]]) -> tuple[LoadedSuite, ...]:
    return tuple(load_suite(path) for path in suite_writer(tmp_path / "suites", COUNT))


def _request(server: Server, suites: tuple[LoadedSuite, ...], **served: Any) -> ServedRequest:
    end = {"base_url": server.url, "retries": 0, "concurrency": 2, "patience_seconds": 0.01}
    section = ServedSection.model_validate(
        {"base": {**end, "model": "plain"}, "tuned": {"mine": {**end, "model": "tuned"}}, **served}
    )
    return ServedRequest("test", section, suites, EvalSection(noise_items=3))


def _says(body: Body) -> str:
    """The tuned model knows the answer, which is in no prompt: `b` half of the time."""
    return "a b c d e f g h" if body["model"] == "tuned" else "b"


def test_written_answers_are_scored_and_compared_in_pairs(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    server.answer = _says
    watcher = Watcher()
    result = run_evaluation(_request(server, suites), Workspace(tmp_path), watcher)
    (comparison,) = result.results.comparisons
    found = {one.name: one for one in comparison.verdict.abilities}
    golds = [item.gold for item in suites[0].tasks[0].items]
    assert found["gain-write"].base == pytest.approx(golds.count("b") / COUNT)
    assert found["gain-write"].tuned == 1.0
    assert found["gain-write"].n == COUNT
    for name, why in (("choose", "no log-probabilities"), ("read", "how likely a text is")):
        missing = found[f"keep-{name}"]
        assert (missing.state, missing.verdict) == ("incompatible", "not measured")
        assert why in missing.detail
    assert comparison.verdict.status != "pass"
    checked = {canary.name: canary.status for canary in comparison.verdict.canaries}
    assert checked == {
        "tuned model is active": "pass",
        "base, template and end token as at training": "not_run",
        "base agrees with itself": "pass",
    }
    rows = pq.read_table(result.directory / "samples.parquet").to_pylist()
    assert {(row["model"], row["prompt_tokens"]) for row in rows} == {("base", 7), ("mine", 7)}
    assert watcher.told[-1][2] == 4 * COUNT
    prompts = [row["prompt"] for row in rows if row["task"] == "gain-write"]
    assert prompts[:COUNT] == prompts[COUNT:]
    assert any("items were sent to plain at http://127.0.0.1" in n for n in result.results.notes)
    assert json.loads((result.directory / "results.json").read_text())["noise_floor"] == {
        "items": 3, "flips": 0, "largest_log_probability_difference": None,
        "detail": "the base was asked the same items twice",
    }  # fmt: skip


def test_choices_are_measured_where_the_server_tells_likelihoods_of_prompts(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    server.tells_likelihoods = True
    result = run_evaluation(_request(server, suites), Workspace(tmp_path), Watcher())
    rows = pq.read_table(result.directory / "samples.parquet").to_pylist()
    chosen = [row for row in rows if row["task"] == "keep-choose"]
    assert {row["output"] for row in chosen} == {"z"}  # one letter against two, or one and digits
    base, tuned = (
        [row["logprob"] for row in chosen if row["model"] == m] for m in ("base", "mine")
    )
    assert (base, tuned) == ([-1.0] * COUNT, [-2.0] * COUNT)
    asked = [body for body in server.asked if "prompt_logprobs" in body]
    assert len(asked) == 2 * 2 * COUNT * 3
    assert asked[0]["messages"][-1]["role"] == "assistant"
    assert asked[0]["continue_final_message"] is True
    assert asked[0]["add_generation_prompt"] is False


def test_tokens_of_a_choice_must_begin_where_it_does() -> None:
    def token(text: str, logprob: float) -> dict[str, _Token]:
        return {"5": _Token(logprob=logprob, decoded_token=text)}

    told = [None, token("Q: ", -9.0), token("ye", -1.0), token("s", -0.5)]
    assert last_tokens(told, "yes") == (-1.5, 2)
    assert last_tokens(told, "s") == (-0.5, 1)
    assert last_tokens(told, "es") is None
    assert last_tokens(told[:1], "s") is None


def test_a_server_that_answers_with_the_base_under_both_names_is_invalid(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    result = run_evaluation(_request(server, suites), Workspace(tmp_path), Watcher())
    verdict = result.results.comparisons[0].verdict
    assert verdict.status == "invalid"
    assert "under both names" in verdict.reasons[0]


def test_a_stopped_evaluation_pays_for_nothing_twice_and_a_later_one_asks_anew(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    server.answer = _says
    request, workspace = _request(server, suites), Workspace(tmp_path)
    with pytest.raises(Stopped):
        run_evaluation(request, workspace, Watcher(stop_after=8))
    before = len(server.asked)
    assert 8 <= before < 30
    result = run_evaluation(request, workspace, Watcher())
    assert max(server.paid.values()) == 1
    kept = [n for n in result.results.notes if "an interrupted evaluation got before" in n]
    assert len(kept) == 1
    assert int(kept[0].split()[0]) <= before
    run_evaluation(request, workspace, Watcher())
    assert set(server.paid.values()) == {2}  # another model may be behind the address by now


DRIVER = """
import json, sys
from pathlib import Path
from evalsuite.recipe import EvalSection
from evalsuite.run import run_evaluation
from evalsuite.served.measure import measure_served
from evalsuite.served.request import ServedRequest
from evalsuite.served.section import ServedSection
from evalsuite.tasks import load_suite
from workspace.layout import Workspace

class Watcher:
    def doing(self, what): pass
    def answered(self, model, task, done, total): print(done, flush=True)

root, served, *suites = sys.argv[1:]
section = ServedSection.model_validate(json.loads(served))
request = ServedRequest(
    "test", section, tuple(load_suite(Path(one)) for one in suites), EvalSection(noise_items=3)
)
run_evaluation(request, Workspace(Path(root)), Watcher())
"""


@pytest.mark.slow
def test_kill_9_repeats_no_request_that_was_answered_and_read(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    server.answer = _says
    served = _request(server, suites).served.model_dump_json()
    command = [sys.executable, "-P", "-c", DRIVER, str(tmp_path), served]
    command += [str(suite.path) for suite in suites]
    for lines in (1, 2, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(lines):
                child.stdout.readline()
            child.kill()
    subprocess.run(command, capture_output=True, check=True)
    # At most the requests that were under way at a kill, two at once, are paid for again.
    twice = sum(count - 1 for count in server.paid.values())
    assert twice <= 3 * 2
    assert len(server.paid) == 2 * 2 * COUNT + 3 + 2
    (path,) = (tmp_path / "evals").glob("*/results.json")
    found = {
        one["name"]: one
        for one in json.loads(path.read_text())["comparisons"][0]["verdict"]["abilities"]
    }
    assert found["gain-write"]["tuned"] == 1.0


def test_an_ability_with_a_refused_request_is_an_error_and_no_number(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    server.answer = _says
    server.status = lambda nth: 400 if nth == 4 else 200
    result = run_evaluation(_request(server, suites), Workspace(tmp_path), Watcher())
    found = {one.name: one for one in result.results.comparisons[0].verdict.abilities}
    assert (found["gain-write"].state, found["gain-write"].tuned) == ("error", None)
    assert "1 of 6 requests were given up" in found["gain-write"].detail
    assert found["keep-write"].n == COUNT


def test_a_budget_or_a_refusing_server_stops_the_job_and_keeps_the_answers(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(LimitExceeded, match="budget for base is gone") as caught:
        run_evaluation(_request(server, suites, budget={"requests": 5}), workspace, Watcher())
    assert "goes on" in caught.value.cure
    assert len(server.asked) == 5
    server.status = lambda nth: 401
    with pytest.raises(WorkError, match="does not answer"):
        run_evaluation(_request(server, suites), workspace, Watcher())
    assert max(server.paid.values()) == 1


@pytest.mark.parametrize(
    ("tuned", "said"),
    [({"base": "other"}, "another name than `base`"), ({"mine": "plain"}, "another model")],
)
def test_models_that_cannot_be_told_apart_are_refused(tuned: dict[str, str], said: str) -> None:
    url = "http://127.0.0.1:1/v1"
    with pytest.raises(ValueError, match=said):
        ServedSection.model_validate(
            {
                "base": {"base_url": url, "model": "plain"},
                "tuned": {name: {"base_url": url, "model": m} for name, m in tuned.items()},
            }
        )


def test_the_example_of_the_documentation_runs(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (recipe,) = re.findall(r"^```yaml\n(# served\.yaml\n.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    (command,) = re.findall(r"^```sh\n(temper eval --served.*)$", DOCS, re.MULTILINE)
    server.answer = _says
    monkeypatch.setenv("SERVED_API_KEY", "not-a-real-key-0123456789")
    Path("served.yaml").write_text(recipe.replace("http://127.0.0.1:8000/v1", server.url))
    done = CliRunner().invoke(app, shlex.split(command)[1:])
    assert done.exit_code == 0, done.output
    assert "support against base" in done.output
    assert server.headers[0]["authorization"] == "Bearer not-a-real-key-0123456789"
    for path in Path().rglob("*"):
        if path.is_file():
            assert b"not-a-real-key" not in path.read_bytes()


def test_what_does_not_go_together_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments, said in ((["mine"], "do not go together"), ([], "no served model is named")):
        refused = CliRunner().invoke(app, ["eval", "--served", *arguments])
        assert isinstance(refused.exception, UsageError)
        assert said in refused.exception.title


def test_a_key_that_is_not_set_is_told_before_anything_is_sent(
    server: Server, suites: tuple[LoadedSuite, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SERVED_API_KEY", raising=False)
    end = {"base_url": server.url, "api_key": "env:SERVED_API_KEY"}
    request = _request(
        server, suites, base={**end, "model": "a"}, tuned={"mine": {**end, "model": "b"}}
    )
    with pytest.raises(UsageError):
        request.check()
    assert not server.asked


def test_scores_that_wait_for_a_judge_are_no_flips(
    server: Server, suites: tuple[LoadedSuite, ...], tmp_path: Path
) -> None:
    backend = {"base_url": server.url, "model": "j"}
    scorer = JudgeScorer.model_validate(
        {"kind": "judge", "rubric": "Good?", "backend": backend, "budget": {"requests": 9}}
    )
    task = suites[1].tasks[0]
    judged = replace(task, spec=task.spec.model_copy(update={"scorer": scorer, "margin": 0.3}))
    strict = replace(suites[0].tasks[0], spec=suites[0].tasks[0].spec.model_copy(
        update={"margin": 0.2}
    ))  # fmt: skip
    both = (replace(suites[0], tasks=(strict,)), replace(suites[1], tasks=(judged,)))
    server.answer = _says
    measured = measure_served(_request(server, both), tmp_path, Watcher())
    assert measured.noise is not None
    assert (measured.noise.flips, measured.noise.margin) == (0, 0.2)
    assert {body["model"] for body in server.asked} == {"plain", "tuned"}
