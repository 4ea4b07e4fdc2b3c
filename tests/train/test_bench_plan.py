"""bench/plan_memory.py: what of it needs no GPU."""

from __future__ import annotations

from typing import Any

import pytest

from tests.benches import bench_script
from train.estimate.gpus import GpuType


@pytest.fixture(scope="module")
def bench_plan() -> Any:
    return bench_script("plan_memory")


def test_without_a_gpu_it_says_so_and_ends(
    bench_plan: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("workspace.gpus.list_gpus", lambda: [])
    assert bench_plan.main([]) == 2
    assert "no NVIDIA GPU was found" in capsys.readouterr().out


def test_cases_are_three_shapes_three_ways_three_sizes(bench_plan: Any) -> None:
    cases = bench_plan.cases()
    assert len(cases) == len({case.name for case in cases}) == 27
    counts = {case.shape: bench_plan.shape(case).parameters for case in cases}
    assert counts == {
        "qwen-0.6b": 596_049_920,
        "llama-3b": 3_212_749_824,
        "llama-8b": 8_030_261_248,
    }


def test_lines_compare_the_plan_with_what_was_measured(bench_plan: Any) -> None:
    case = bench_plan.Case("llama-8b", "lora", 1, 2048)
    planned = bench_plan.planned_bytes(case)
    step = bench_plan.planned_step(case, GpuType("x", 80, 989, 1.0))
    assert 0 < step.low < step.high
    near = bench_plan.Measured(int(planned / 1.05), step.high * 3600 * 1.1)
    far = bench_plan.Measured(int(planned / 1.2), step.high * 3600)
    lines = [bench_plan.Line(case, planned, step, one) for one in (near, far)]
    assert [line.agrees for line in lines] == [True, False]
    assert lines[0].memory_off == pytest.approx(0.05, abs=1e-6)
    assert lines[0].time_off == pytest.approx(1 / 1.1 - 1)
    text = bench_plan.render(lines)
    assert "| llama-8b lora 1x2048 |" in text and "1 of 2 cases within" in text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_it_measures_runs_on_a_tiny_shape(
    bench_plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {
        "model_type": "llama",
        "vocab_size": 97,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    monkeypatch.setitem(bench_plan.SHAPES, "tiny", tiny)
    for way in ("full", "lora"):
        found = bench_plan.measure(bench_plan.Case("tiny", way, 2, 16), "cpu")
        assert found.step_seconds > 0 and found.peak_bytes == 0
