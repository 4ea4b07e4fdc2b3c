"""The closed list of backends: from a config to a model that answers."""

from __future__ import annotations

from pathlib import Path

from evalsuite.asking.backends.base import Backend
from evalsuite.asking.backends.configs import EndpointConfig, LocalConfig


def open_backend(config: EndpointConfig | LocalConfig, base_dir: Path) -> Backend:
    """Return the backend that a config names.

    Raises:
        UsageError: its key is not in the environment.
        ModelError: there is no such local model.
    """
    if isinstance(config, EndpointConfig):
        from evalsuite.asking.backends.endpoint import EndpointBackend

        return EndpointBackend(config)
    from evalsuite.asking.backends.local import LocalBackend

    return LocalBackend(config, base_dir)
