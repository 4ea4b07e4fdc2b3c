"""vLLM's own server, told to serve a run and its base on loopback. No torch."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from train.export.shipment import Shipment
from workspace.errors import WorkError

KEY_VARIABLE = "VLLM_API_KEY"
_KEY_NOTE = (
    "vLLM asks for the key under /v1 alone: programs of this machine can reach its other paths"
)


@dataclass(frozen=True)
class VllmCommand:
    """What is run; the key is in its environment, never here."""

    argv: tuple[str, ...]
    notes: tuple[str, ...]


def find_vllm() -> str | None:
    """Return vLLM's command, or None where it is not installed."""
    return shutil.which("vllm")


def refusal(shipment: Shipment) -> str:
    """Return why vLLM cannot serve this run as it is; empty if it can."""
    subject = shipment.subject
    if subject.kind == "full":
        return ""
    config = json.loads((subject.path / "adapter_config.json").read_text(encoding="utf-8"))
    if config.get("peft_type") != "LORA":
        return f"vLLM serves LoRA adapters, not {config.get('peft_type')}"
    for key, what in (
        ("use_dora", "DoRA"),
        ("modules_to_save", "modules trained whole"),
        ("trainable_token_indices", "trained token rows"),
    ):
        if config.get(key):
            return f"vLLM does not apply an adapter's {what}"
    if config.get("bias") not in (None, "none"):
        return "vLLM does not apply an adapter's biases"
    return ""


def vllm_command(
    executable: str,
    shipment: Shipment,
    name: str,
    port: int,
    *,
    dtype: str = "auto",
    others: Sequence[tuple[str, Shipment]] = (),
) -> VllmCommand:
    """Return the command that serves a run.

    Args:
        executable: vLLM's.
        shipment: the run.
        name: what the tuned model is called.
        port: 0 takes any that is free.
        dtype: of the weights.
        others: further adapters of the same base, with their names.
    """
    subject = shipment.subject
    port = port or _free_port()
    common = (
        "--host", "127.0.0.1", "--port", str(port), "--dtype", dtype,
        "--allowed-origins", json.dumps([f"http://127.0.0.1:{port}"]), "--disable-fastapi-docs",
    )  # fmt: skip
    if subject.kind == "full":
        whole = (executable, "serve", str(subject.path), "--served-model-name", name, *common)
        return VllmCommand(
            whole, ("vLLM serves one model at a time: the base is not served", _KEY_NOTE)
        )
    adapters = [(name, subject.path), *((called, one.subject.path) for called, one in others)]
    argv = (
        executable, "serve", str(shipment.base.path), "--served-model-name", "base",
        "--enable-lora", "--lora-modules", *(f"{called}={path}" for called, path in adapters),
        "--max-lora-rank", str(max(_rank(_config(path)) for _, path in adapters)), *common,
    )  # fmt: skip
    notes = [_KEY_NOTE]
    if subject.quantization:
        notes.append(
            f"the adapter was trained on {subject.quantization}; vLLM holds the base unquantised"
        )
    return VllmCommand(argv, tuple(notes))


def _config(path: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads(
        (path / "adapter_config.json").read_text(encoding="utf-8")
    )
    return document


def _rank(config: dict[str, object]) -> int:
    """Return the least of vLLM's rank limits that holds this adapter."""
    pattern = config.get("rank_pattern")
    ranks = [config.get("r"), *(pattern.values() if isinstance(pattern, dict) else ())]
    largest = max(int(str(rank)) for rank in ranks)
    known = (8, 16, 32, 64, 128, 256, 320, 512)
    found = next((one for one in known if one >= largest), None)
    if found is None:
        raise WorkError(
            "vLLM does not serve adapters of this rank",
            cause=f"It has {largest}; the most is {known[-1]}.",
            cure="temper export --to merged, or --engine transformers",
        )
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


__all__ = ["KEY_VARIABLE", "VllmCommand", "find_vllm", "refusal", "vllm_command"]
