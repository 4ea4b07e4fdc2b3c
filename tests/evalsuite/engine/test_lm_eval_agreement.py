"""Our scores are those of lm_eval 0.4.13, where the extra `bench` is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.builtin import model_path
from tests.benches import bench_script


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_choices_perplexity_and_generation_agree_with_lm_eval(
    tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `bench`")
    bench = bench_script("lm_eval_agreement")
    lines = bench.compare(tiny_model, tmp_path)
    assert len(lines) == 14
    assert [line for line in lines if not bench.agrees(line)] == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_base_and_adapter_score_as_in_two_calls_of_lm_eval(tmp_path: Path) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `bench`")
    bench = bench_script("eval")
    lines = bench.compare(
        model_path(), tmp_path, shapes=bench.SHAPES, batch=16, repeats=1, scale=0.05
    )
    assert [line.shape.name for line in lines if not line.agrees] == []
    assert len(lines) == 8
