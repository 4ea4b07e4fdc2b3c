"""What tests of suites share."""

from __future__ import annotations

from typing import Any

from evalsuite.tasks import Suite


def suite_of(task: dict[str, Any]) -> Suite:
    """Return a suite with one task called t."""
    document = {"schema_version": 1, "name": "s", "purpose": "retention"}
    return Suite.model_validate({**document, "tasks": [{"name": "t", **task}]})
