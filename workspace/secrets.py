"""Secrets are named in recipes, never written in them, and removed from everything we write.

A secret is given as `env:NAME` (an environment variable) or `file:PATH` (a file only its owner
can read). Literals are refused, because recipes are shared, committed and copied into runs.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from workspace.errors import UsageError

# Shapes of well-known keys: hub, OpenAI-like, GitHub, AWS, Slack, Weights & Biases, JWT, PEM.
_KEY_SHAPES = re.compile(
    r"hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|local-[0-9a-f]{40}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_SECRET_VARIABLE = re.compile(r"(TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY)$")
_SHORTEST = 8


def looks_like_secret(text: str) -> bool:
    """Return whether `text` holds something shaped like a key of a known service."""
    return bool(_KEY_SHAPES.search(text))


def redact(text: str) -> str:
    """Return `text` without anything shaped like a key and without the values of secret variables.

    >>> redact("Bearer hf_" + "a" * 30)
    'Bearer [secret]'
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET_VARIABLE.search(name) and value in text:
            text = text.replace(value, f"[secret {name}]")
    return _KEY_SHAPES.sub("[secret]", text)


def _checked_reference(value: str) -> str:
    if not value.startswith(("env:", "file:")):
        raise ValueError("a secret is given as env:NAME or file:PATH, never as itself")
    return value


SecretRef = Annotated[str, AfterValidator(_checked_reference)]
"""A recipe field that names a secret: `env:NAME` or `file:PATH`."""


def resolve(reference: str) -> str:
    """Return the secret that `reference` names.

    Raises:
        UsageError: the variable is not set, the file is missing or others can read it.
    """
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        value = os.environ.get(name, "")
        if not value:
            raise UsageError(
                f"the environment variable {name} is not set", cure=f"export {name}=… first."
            )
        return value
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError("this secret file does not exist", where=str(path))
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            "others can read this secret file", where=str(path), cure=f"chmod 600 {path}"
        )
    return path.read_text(encoding="utf-8").strip()
