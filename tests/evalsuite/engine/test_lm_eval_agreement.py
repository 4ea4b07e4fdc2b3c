"""Our scores are those of lm_eval 0.4.13, where the extra `bench` is installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[3] / "bench" / "lm_eval_agreement.py"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_choices_perplexity_and_generation_agree_with_lm_eval(
    tiny_model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra `bench`")
    spec = importlib.util.spec_from_file_location("lm_eval_agreement", BENCH)
    assert spec and spec.loader
    bench = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = bench
    spec.loader.exec_module(bench)
    lines = bench.compare(tiny_model, tmp_path)
    assert len(lines) == 14
    assert [line for line in lines if not bench.agrees(line)] == []
