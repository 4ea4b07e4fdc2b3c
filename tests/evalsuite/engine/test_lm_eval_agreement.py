"""Our scores are those of lm_eval 0.4.13, where the extra `bench` is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

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
