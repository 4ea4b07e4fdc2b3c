"""The whole loop as a person types it, in a directory that is out to break it."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tui.cli import main

HOSTILE = ("train", "curate", "workspace", "evalsuite", "tui", "datasets", "torch", "random")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions of random words, so that no two are alike; the answer is the longest word."""
    path = tmp_path_factory.mktemp("rows") / "mine.jsonl"
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(2000)]
    lines = []
    for _ in range(400):
        chosen = rng.sample(words, 6)
        row = {"instruction": " ".join(chosen), "output": max(chosen, key=len)}
        lines.append(json.dumps(row))
    path.write_text("\n".join([*lines, lines[0], '{"instruction": "no answer"}']) + "\n")
    return path


def temper(cwd: Path, *arguments: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the installed command where it is typed, with nothing in its way but the directory."""
    result = subprocess.run(
        [Path(sys.executable).parent / "temper", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == expect, f"{arguments}\n{result.stdout}\n{result.stderr}"
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.slow
def test_files_that_shadow_ours_are_not_imported(tmp_path: Path, rows: Path) -> None:
    home = tmp_path / "mine"
    temper(tmp_path, "init", "mine", "--data", str(rows), "--task", "classify")
    shadow(home)
    assert "402 in = 400 kept + 2 dropped" in temper(home, "curate").stderr


def shadow(home: Path) -> None:
    for name in HOSTILE:
        (home / f"{name}.py").write_text(f"raise RuntimeError('{name} of the user was imported')\n")


@pytest.mark.slow
def test_the_loop_runs_in_a_directory_whose_files_shadow_ours(tmp_path: Path, rows: Path) -> None:
    home = tmp_path / "mine"
    temper(tmp_path, "init", "mine", "--data", str(rows), "--task", "classify")
    shadow(home)
    (home / "suites" / "small.yaml").write_text(
        (home / "suites" / "target.yaml").read_text().replace("min_items: 100", "min_items: 20")
    )
    (home / "replay" / "general.jsonl").write_text(
        "".join((home / "replay" / "general.jsonl").read_text().splitlines(keepends=True)[:200])
    )
    temper(home, "curate", "general.yaml")
    assert "402 in = 400 kept + 2 dropped" in temper(home, "curate").stderr
    temper(home, "check")
    temper(
        home, "train", "--set", "train.steps=3", "--set", "train.batch_size=8",
        "--set", "train.epochs=null",
    )  # fmt: skip
    found = temper(
        home, "eval", "mine", "--json", "--set", "evaluate.suites=[small]",
    )  # fmt: skip
    document = json.loads(found.stdout)
    assert document["comparisons"][0]["verdict"]["status"] in ("pass", "fail", "inconclusive")
    listed = json.loads(temper(home, "runs", "--json").stdout)
    assert [(row["state"], row["progress"]) for row in listed] == [("finished", "3/3")]
    jobs = json.loads(temper(home, "jobs", "--json").stdout)
    assert {job["kind"] for job in jobs} == {"curate", "train", "eval"}
    assert {job["state"] for job in jobs} == {"finished"}


def test_mistakes_are_answered_with_exit_code_2_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def mistaken(*arguments: str) -> tuple[str, str]:
        """Run the command in this process, which shows the same."""
        monkeypatch.setattr(sys, "argv", ["temper", *arguments])
        assert main() == 2
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err
        return shown.out, shown.err

    monkeypatch.chdir(tmp_path)
    assert "temper init" in mistaken("train")[1]
    (tmp_path / "temper.yaml").write_text("name: a\ntrian: {}\nmodel: {path: ./nowhere}\n")
    _, typo = mistaken("check")
    assert "temper.yaml:2:1: trian" in typo and "Did you mean `train`?" in typo
    (tmp_path / "temper.yaml").write_text("name: a\nmodel: {path: ./nowhere}\n")
    assert "no such model directory" in mistaken("check")[0]
    assert "No such command" in mistaken("trian")[1]
