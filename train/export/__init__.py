"""`temper export`: a run leaves the workspace, behind the gate and a parity check.

Each exporter is a class in a file of its own and a line in `EXPORTERS`. Importing this package
imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping

from train.export.adapter import AdapterExporter
from train.export.base import Artefact, Exporter, Options, Target
from train.export.gguf import GgufExporter
from train.export.hub import HubExporter
from train.export.merged import MergedExporter
from train.export.ollama import OllamaExporter

EXPORTERS: Mapping[Target, Exporter] = {
    one.name: one
    for one in (
        AdapterExporter(),
        MergedExporter(),
        GgufExporter(),
        OllamaExporter(),
        HubExporter(),
    )
}
"""Every form that a run can be exported in."""

__all__ = ["EXPORTERS", "Artefact", "Exporter", "Options", "Target"]
