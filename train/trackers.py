"""Trackers that a recipe names: what they need, where they send, and what keeps them quiet.

None is on by default, and nothing but these sends anything. Keys are never in a recipe: each
tracker finds its own in the environment or where its log-in put it. Imports none of them.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from workspace.errors import UsageError
from workspace.secrets import redact

TrackerName = Literal["wandb", "mlflow", "tensorboard", "trackio"]
DIRECTORY = "trackers"
"""Below a run's directory: what trackers write on this machine."""


def check_trackers(names: Sequence[TrackerName]) -> None:
    """Refuse a tracker that is not installed, or could write nowhere.

    Raises:
        UsageError: with the command that installs it.
    """
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            where="train.trackers",
            cause="The recipe asks for it; without it nothing would be recorded there.",
            cure=f"pip install {' '.join(missing)}",
        )
    is_small = importlib.util.find_spec("sqlalchemy") is None
    if "mlflow" in names and is_small and "MLFLOW_TRACKING_URI" not in os.environ:
        raise UsageError(
            "this mlflow has no database to write to",
            where="train.trackers",
            cause="mlflow-skinny alone only sends to a server, and none is named.",
            cure="pip install mlflow, or set MLFLOW_TRACKING_URI to your server",
        )


def destination(name: TrackerName, run: Path | None = None) -> str:
    """Return where a tracker's figures go, in words and without a password in an address.

    Args:
        name: of the tracker.
        run: the run's directory, where it is known.
    """
    return redact(_destination(name, str(run / DIRECTORY) if run else "the run's directory"))


def _destination(name: TrackerName, place: str) -> str:
    environment = os.environ
    if name == "wandb":
        mode = environment.get("WANDB_MODE") or ("online" if _knows_wandb() else "offline")
        if mode in ("offline", "disabled"):
            return f"{place} ({mode}; `wandb sync` sends it)"
        return environment.get("WANDB_BASE_URL", "https://api.wandb.ai")
    if name == "mlflow":
        return environment.get("MLFLOW_TRACKING_URI", f"{place}/mlflow.db")
    if name == "tensorboard":
        return environment.get("TENSORBOARD_LOGGING_DIR", f"{place}/tensorboard")
    space = environment.get("TRACKIO_SPACE_ID")
    return f"the Hugging Face space {space}" if space else "trackio's files on this machine"


def _knows_wandb() -> bool:
    """Whether wandb would find a key: without one it asks on the terminal, and training waits."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    netrc = Path(os.environ.get("NETRC", "~/.netrc")).expanduser()
    try:
        return "wandb" in netrc.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _defaults(names: Sequence[TrackerName], run: Path, project: str) -> Mapping[str, str]:
    """Return settings by environment that a person may override by setting them."""
    place = run / DIRECTORY
    out: dict[str, str] = {}
    if "wandb" in names:
        out |= {
            "WANDB_PROJECT": project,
            "WANDB_DIR": str(place),
            "WANDB_RUN_ID": run.name,  # a resumed run goes on where it was
            "WANDB_RESUME": "allow",
            "WANDB_CONSOLE": "off",  # would send what is printed
            "WANDB_DISABLE_CODE": "true",
            "WANDB_DISABLE_GIT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_SILENT": "true",
        }
        if not _knows_wandb():
            out["WANDB_MODE"] = "offline"
    if "mlflow" in names:
        out |= {
            "MLFLOW_EXPERIMENT_NAME": project,
            "MLFLOW_TRACKING_URI": f"sqlite:///{place.resolve()}/mlflow.db",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
        }
    if "tensorboard" in names:
        out["TENSORBOARD_LOGGING_DIR"] = str(place / "tensorboard")
    return out


@contextmanager
def tracker_environment(names: Sequence[TrackerName], run: Path, project: str) -> Iterator[None]:
    """Set what trackers read from the environment, where nobody has, until the body ends.

    Args:
        names: of the trackers.
        run: the run's directory.
        project: under which they keep it.
    """
    if names:
        (run / DIRECTORY).mkdir(exist_ok=True)
    ours = {
        name: value
        for name, value in _defaults(names, run, project).items()
        if name not in os.environ
    }
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)
