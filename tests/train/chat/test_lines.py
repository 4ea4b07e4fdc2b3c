"""`temper chat --json`: a real child behind pipes, and who may be named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from evalsuite.models.load import Placement
from train.chat.lines import _answers
from train.chat.named import find_named, split_scale
from train.chat.speakers import open_speakers
from workspace.errors import DataError, TemperError

CPU = Placement("cpu", "float32", "")


class Child:
    """The command, with one request in flight at a time."""

    def __init__(self, root: Any, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tui", "chat", *arguments, "--json"],
            cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip

    def send(self, **request: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()

    def read(self, until: str) -> list[dict[str, Any]]:
        assert self.process.stdout is not None
        found: list[dict[str, Any]] = []
        while not found or found[-1]["kind"] not in (until, "error"):
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            found.append(json.loads(line))
        return found


@pytest.fixture(scope="module")
def child(trained: Any) -> Iterator[Child]:
    one = Child(trained.root, str(trained.run))
    yield one
    one.process.kill()
    for stream in (one.process.stdin, one.process.stdout, one.process.stderr):
        assert stream is not None
        stream.close()
    one.process.wait()


def said(events: list[dict[str, Any]], side: int) -> str:
    return "".join(e["text"] for e in events if e["kind"] == "text" and e["side"] == side)


@pytest.mark.slow
def test_a_child_answers_stops_and_ends_with_its_input(child: Child) -> None:
    (ready,) = child.read("ready")
    assert ready["models"] == ["base", "toy"]
    turns = [{"role": "user", "content": "train: card"}]
    ask = {"sides": [turns, turns], "temperature": 1.0, "seed": 7, "max_tokens": 24}
    child.send(id=1, **ask)
    first = child.read("done")
    ends = [event for event in first if event["kind"] == "end"]
    assert {end["side"] for end in ends} == {0, 1}
    assert all(end["finish"] in ("stop", "length") and end["tokens"] <= 24 for end in ends)
    child.send(id=2, **ask)
    again = child.read("done")
    assert [said(again, side) for side in (0, 1)] == [said(first, side) for side in (0, 1)]
    assert said(first, 0) != said(first, 1)
    child.send(stop=3)
    child.send(id=3, **ask)
    stopped = [event for event in child.read("done") if event["kind"] == "end"]
    assert [(end["finish"], end["tokens"]) for end in stopped] == [("stopped", 0)] * 2
    child.send(id=4, sides=[turns])
    assert child.read("done")[-1]["cause"] == "`sides` must be a list of 2 conversations."
    child.send(id=5, sides=[[{"role": "user", "content": "card " * 400}]] * 2)
    assert "longer than the model reads" in child.read("done")[-1]["title"]
    child.send(id=6, **ask)
    assert said(child.read("done"), 0) == said(first, 0)
    assert child.process.stdin is not None
    child.process.stdin.close()
    assert child.process.wait(30) == 0


def test_what_cannot_be_loaded_is_said_and_nobody_waits(trained: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "tui", "chat", "nobody", "--json"],
        cwd=trained.root, input="", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.returncode in (0, 2)


def test_any_two_may_speak_on_one_copy_of_the_weights(trained: Any) -> None:
    run = str(trained.run)
    named = find_named((f"{run}@0", run, f"{run}@0.5", "base"), trained.workspace, base=None)
    assert [one.name for one in named] == ["toy@0", "toy", "toy@0.5", "base"]
    with open_speakers(named, CPU) as speakers:
        turns = [{"role": "user", "content": "train: card late"}]
        found = []
        for answer in _answers(speakers, {"sides": [turns] * 4, "max_tokens": 12}):
            found.append("".join(answer.pieces()))
    assert found[0] == found[3] != found[1]


def test_whole_models_without_a_base_can_be_held_against_each_other(
    trained: Any, tmp_path: Any
) -> None:
    source = trained.open().base.path
    for name in ("one", "two"):
        shutil.copytree(source, tmp_path / name)
    names = (str(tmp_path / "one"), str(tmp_path / "two"))
    with open_speakers(find_named(names, trained.workspace, base=None), CPU) as speakers:
        assert [speaker.name for speaker in speakers] == ["one", "two"]
        turns = [{"role": "user", "content": "train: card"}]
        answers = _answers(speakers, {"sides": [turns] * 2, "max_tokens": 8})
        assert len({"".join(answer.pieces()) for answer in answers}) == 1
    with pytest.raises(TemperError, match="nothing says what `base` is"):
        find_named(("base", names[0]), trained.workspace, base=None)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"sides": [[], []]},
        {"sides": [["x"], ["y"]]},
        {"sides": [[{"role": "judge", "content": ""}]] * 2},
        {"sides": [[{"role": "user", "content": "a"}]] * 2, "temperature": "hot"},
        {"sides": [[{"role": "user", "content": "a"}]] * 2, "seed": True},
    ],
)
def test_a_request_that_cannot_be_read_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(DataError):
        _answers([None, None], request_)  # type: ignore[list-item]


def test_a_strength_is_behind_the_name() -> None:
    assert split_scale("a@b@0.25") == ("a@b", 0.25)
    assert split_scale("run@step-4") == ("run@step-4", None)
