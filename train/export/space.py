"""Whether the disk holds what will be written, before an hour is spent."""

from __future__ import annotations

import shutil
from pathlib import Path

from evalsuite.models.source import check_model_directory
from train.export.base import Options
from train.export.shipment import Shipment
from workspace.errors import DiskFullError

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_SLACK_BYTES = 64 * 1024**2


def merged_bytes(shipment: Shipment, precision: str) -> int:
    """Return how large the merged weights will be, from the headers of the base's files."""
    from safetensors import safe_open

    path = shipment.base.path
    check_model_directory(path)
    total = 0
    for file in sorted(path.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as opened:
            for name in opened.keys():  # noqa: SIM118  (the library's object is no mapping)
                count = 1
                for size in opened.get_slice(name).get_shape():
                    count *= size
                total += count
    return total * _BYTES[precision]


def check_space(target: Path, needed: int) -> None:
    """Refuse what the disk cannot hold.

    Args:
        target: what will be written.
        needed: its size in bytes.

    Raises:
        DiskFullError: with what is there and what is needed.
    """
    place = next(path for path in target.absolute().parents if path.is_dir())
    free = shutil.disk_usage(place).free
    if free < needed + _SLACK_BYTES:
        raise DiskFullError(
            "the disk is too small for this export",
            where=str(target),
            cause=f"It needs {_size(needed + _SLACK_BYTES)}; {place} has {_size(free)}.",
            cure="Free some space or choose another disk. An adapter alone is far smaller: "
            "--to adapter.",
        )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def check_merged_space(shipment: Shipment, options: Options, *, copies: int = 1) -> None:
    """Refuse merged weights that the disk cannot hold; arguments and errors as `check_space`."""
    check_space(Path(options.out), copies * merged_bytes(shipment, options.precision))
