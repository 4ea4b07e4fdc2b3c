"""Forks trainers from a process that has torch and trl loaded: seconds instead of tens of them.

Reads one JSON request a line: train, resume, command, wait, modules. Run as a script by the tests.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import transformers.models.llama.modeling_llama  # noqa: E402
import transformers.models.llama.tokenization_llama  # noqa: E402, F401

import evalsuite.engine  # noqa: E402
import evalsuite.models.load  # noqa: E402
import evalsuite.run  # noqa: E402, F401
import train.adapters  # noqa: E402
import train.trl_bridge  # noqa: E402, F401
import tui.command_line  # noqa: E402, F401
from evalsuite.models import ModelSection  # noqa: E402
from train.again import find_again  # noqa: E402
from train.each.run import run_each  # noqa: E402
from train.recipe import TrainSection  # noqa: E402
from train.reporter import Silent  # noqa: E402
from train.run import run_train  # noqa: E402
from tui.cli import main as temper  # noqa: E402
from workspace.cli import run as at_the_edge  # noqa: E402
from workspace.jobs import run_job  # noqa: E402
from workspace.layout import Workspace  # noqa: E402
from workspace.recipe import load_recipe  # noqa: E402

SECTIONS = {"model": ModelSection, "train": TrainSection}


def _load(path: Path, overrides: Any) -> Any:
    return load_recipe(path, SECTIONS, overrides)


def _work(request: dict[str, Any]) -> None:
    workspace = Workspace(Path(request["root"]))
    if request["do"] == "train":
        recipe = _load(workspace.root / "temper.yaml", ())
        with run_job(workspace, "train", ["temper", "train"]) as job:
            if request["each"]:
                run_each(recipe, workspace, job, _load, Silent())
            else:
                run_train(recipe, workspace, job)
    else:
        again = find_again(request["run"], workspace)
        again.open(_load, Silent(), ())
        argv = ["temper", "resume"]
        with run_job(workspace, "train", argv, job_id=again.job) as job:
            again.work(job, argv, Silent())


def _command(request: dict[str, Any]) -> int:
    """Run `temper` as from a terminal in a directory, whose `output.txt` takes what it says."""
    os.chdir(request["root"])
    output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["temper", *request["arguments"]]
    return temper()


def main() -> None:
    gc.freeze()  # so that forks neither look through what is here already nor copy it
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "wait":
            _, status = os.waitpid(request["pid"], 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        if request["do"] == "modules":
            print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})), flush=True)
            continue
        pid = os.fork()
        if pid == 0 and request["do"] == "command":
            os._exit(_command(request))
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(at_the_edge(lambda request=request: _work(request)))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
