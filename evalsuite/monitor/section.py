"""The `evaluate: monitor:` block of a recipe."""

from __future__ import annotations

from evalsuite.asking.backends.configs import EndpointConfig
from evalsuite.asking.budget import Budget
from workspace.recipe import Section


class MonitorSection(Section):
    """Which served model `temper monitor` asks."""

    backend: EndpointConfig
    """The endpoint. Questions of the suites are sent there, answers are scored here."""

    budget: Budget = Budget()
    """What one look may cost; nothing is sent that could exceed it."""
