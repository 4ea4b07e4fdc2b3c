"""The closed list of backends: from a config to a model that answers."""

from __future__ import annotations

from pathlib import Path

from evalsuite.asking.backends.base import Backend
from evalsuite.asking.backends.configs import AnyBackend, EndpointConfig, VllmConfig


def check_backend(config: AnyBackend) -> None:
    """Refuse a backend that cannot answer here; before rows are read, and without torch.

    Raises:
        UsageError: its key is not in the environment; vLLM or a GPU for it is not there.
    """
    if isinstance(config, EndpointConfig):
        from workspace.secrets import secret_of

        if config.api_key:
            secret_of(config.api_key)
    elif isinstance(config, VllmConfig):
        from evalsuite.asking.backends.vllm_needs import check_vllm

        check_vllm()


def open_backend(config: AnyBackend, base_dir: Path) -> Backend:
    """Return the backend that a config names.

    Raises:
        UsageError: its key is not in the environment; vLLM or a GPU for it is not there.
        ModelError: there is no such local model.
    """
    if isinstance(config, EndpointConfig):
        from evalsuite.asking.backends.endpoint import EndpointBackend

        return EndpointBackend(config)
    check_backend(config)
    if isinstance(config, VllmConfig):
        from evalsuite.asking.backends.vllm_batches import VllmBackend

        return VllmBackend(config, base_dir)
    from evalsuite.asking.backends.local import LocalBackend

    return LocalBackend(config, base_dir)
