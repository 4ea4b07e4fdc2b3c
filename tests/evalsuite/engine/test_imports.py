"""What plans, curates and draws must not wait for torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "trl", "peft", "polars", "scipy")


@pytest.mark.parametrize(
    ("modules", "forbidden"),
    [
        ("evalsuite.cli, evalsuite.recipe", (*HEAVY, "numpy", "jinja2")),
        ("evalsuite.tasks, evalsuite.scorers", HEAVY),
        ("evalsuite.prompting.section", (*HEAVY, "numpy", "jinja2")),
        ("evalsuite.prompting.asking, evalsuite.prompting.arms", HEAVY),
        ("evalsuite.engine.subjects, evalsuite.engine.request, evalsuite.engine.cache", HEAVY),
        (
            "evalsuite.run, evalsuite.canaries, evalsuite.prompting.findings",
            ("torch", "trl", "polars"),
        ),
    ],
)
def test_modules_import_nothing_heavy(modules: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {modules}; print(*(name for name in {forbidden!r} if name in sys.modules))"
    found = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
