"""Serving until a signal says stop."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from evalsuite.engine.request import BASE
from train.export.shipment import Shipment
from train.serve.vllm import KEY_VARIABLE, VllmCommand
from workspace.errors import UsageError, WorkError
from workspace.jobs import Job

_POLL_SECONDS = 0.1
_GRACE_SECONDS = 30.0
_WRITING_SECONDS = 5.0
"""How long answers that are whole may take to reach their clients."""


@dataclass(frozen=True)
class Serving:
    """What is told once requests are answered."""

    address: str
    models: tuple[str, ...]
    notes: tuple[str, ...]


def tuned_name(shipment: Shipment) -> str:
    """Return what the tuned model is called, which is never what its base is called."""
    name = shipment.subject.name
    return name if name != BASE else shipment.run.name


def serve_run(
    shipment: Shipment,
    *,
    port: int,
    key: str,
    dtype: str,
    job: Job,
    ready: Callable[[Serving], None],
    others: Sequence[Shipment] = (),
) -> None:
    """Load base and run, and answer until a signal asks to stop.

    The answer being written is finished; those that wait are refused with status 503.

    Args:
        shipment: the run.
        port: 0 takes any that is free.
        key: that clients must send.
        dtype: `auto`, `float32` or `bfloat16`.
        job: knows of signals.
        ready: called when requests are answered.
        others: further runs on the same base.

    Raises:
        UsageError: the port is taken.
        ModelError: a model cannot be loaded.
    """
    from evalsuite.engine.voices import open_voices
    from evalsuite.models.load import choose_placement
    from train.serve.server import Server
    from train.serve.worker import Worker

    place = choose_placement(dtype)
    more = [(tuned_name(one), one.subject) for one in others]
    with open_voices(
        shipment.subject, tuned_name(shipment), shipment.base, place, others=more
    ) as voices:
        worker = Worker(voices)
        try:
            server = Server(port, worker, key)
        except OSError as error:
            worker.close()
            raise UsageError(
                f"port {port} cannot be used", cause=f"{error}.", cure="Give --port 0 for any."
            ) from error
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.port}/v1"
            ready(Serving(address, tuple(voices.names), tuple(voices.notes)))
            while not job.stop_requested:
                time.sleep(_POLL_SECONDS)
        finally:
            server.shutdown()
            worker.close(_GRACE_SECONDS)
            server.answering.wait(_WRITING_SECONDS)
            server.server_close()


def run_vllm(command: VllmCommand, key: str, job: Job) -> None:
    """Run vLLM until it ends or a signal asks to stop.

    Raises:
        WorkError: it ended by itself with an error.
    """
    environment = {**os.environ, KEY_VARIABLE: key, "VLLM_NO_USAGE_STATS": "1"}
    child = subprocess.Popen(
        list(command.argv), env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    try:
        while child.poll() is None:
            if job.stop_requested:
                child.send_signal(signal.SIGINT)
                with suppress(subprocess.TimeoutExpired):
                    child.wait(_GRACE_SECONDS)
                return
            time.sleep(_POLL_SECONDS)
    finally:  # its engine is a process of its own, which holds the GPU's memory
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    if child.returncode:
        raise WorkError(
            "vLLM ended by itself",
            cause=f"Exit code {child.returncode}; it said why above.",
            cure="Try --engine transformers.",
        )
