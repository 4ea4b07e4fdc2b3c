"""What `temper plan`, `check` and `preview` print, as the form reads it."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest

from tui.form.desk import Desk
from tui.form.estimate import read_estimates
from tui.form.proofs import read_checks, read_mask, read_rehearsal

WAY = {
    "fits": True, "is_tight": False, "memory_bytes": 2**30,
    "hours": {"low": 0.5, "high": 1.0}, "dollars": {"low": 1.0, "high": 2.0},
}  # fmt: skip


def gpu(name, *, here=False, fits=True, price=1.0):
    dollars = {"low": price, "high": price}
    way = {**WAY, "fits": fits, "dollars": dollars}
    return {"name": name, "memory_gib": 24.0, "is_here": here, "ways": {"lora": way}}


def test_gpus_of_this_machine_come_first_then_the_cheapest_that_hold_it():
    gpus = [gpu("dear", price=9.0), gpu("small", fits=False), gpu("cheap"), gpu("own", here=True)]
    (found,) = read_estimates(json.dumps({"estimate": {"way": "lora", "gpus": gpus}}))
    assert [cost.gpu for cost in found.costs] == ["own", "cheap", "dear", "small"]
    assert found.steps is None and found.costs[0].hours == (0.5, 1.0)


def test_each_stage_has_an_estimate():
    document = {"stages": [{"stage": "a", "steps": 3}, {"stage": "b", "steps": 5}]}
    assert [(one.stage, one.steps) for one in read_estimates(json.dumps(document))] == [
        ("a", 3),
        ("b", 5),
    ]


@pytest.mark.parametrize("output", ["", "[", "3", "null", "Traceback"])
def test_what_is_no_answer_is_refused(output):
    for read in (read_estimates, partial(read_checks, root=Path("/desk")), read_mask):
        with pytest.raises(ValueError):
            read(output)


def test_a_rehearsal_is_told_or_said_to_be_missing(tmp_path):
    from train.rehearsal.record import Measured, Rehearsal

    assert "first rehearses" in read_rehearsal(None)[0]
    assert "no rehearsal yet" in read_rehearsal(tmp_path)[0]
    measured = Measured(8, 62, 0.5, 0.4, 10**8, None, 10**7, 10**6, 0.1, 0.2, 1.5, 1.5)
    Rehearsal("done", "", "cpu", 8, measured=measured, run_seconds=60.0).write(tmp_path)
    told = " ".join(read_rehearsal(tmp_path))
    assert "8 rows of up to 62 tokens" in told and "bit for bit" in told
    for broken in ("{", "[]", '{"measured": {"a": 1}}', '{"state": 3}'):
        (tmp_path / "rehearsal.json").write_text(broken)
        assert "cannot be read" in " ".join(read_rehearsal(tmp_path))


@pytest.mark.slow
def test_a_plan_is_asked_with_what_is_not_saved_and_given_up_when_unwanted(file):
    desk = Desk(file.parent)
    assert desk.command("plan", file, ["a=1"]) == ["plan", "temper.yaml", "--set", "a=1"]
    (found,), trouble = desk.estimate(file, ["train.adapter={kind: lora}"], lambda: False)
    assert (found.way, trouble) == ("lora", "") and found.costs and found.recommendation
    none, told = desk.estimate(file, ["train.adapter={kind: none}"], lambda: False)
    assert none == () and "train.adapter.kind" in told
    assert desk.estimate(file, [], lambda: True)[0] == ()
