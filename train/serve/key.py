"""The key that clients need: made here and shown once, or taken from the environment."""

from __future__ import annotations

import os
import secrets
import sys

from workspace.errors import UsageError
from workspace.secrets import SECRET_NAMES, is_reference
from workspace.text import plain

_SHORTEST = 16


def given_key(variable: str) -> str:
    """Return the key that an environment variable holds.

    Raises:
        UsageError: its name does not say that it holds a secret, it is not set, or too short.
    """
    if not is_reference(f"env:{variable}"):
        raise UsageError(
            "this variable's name does not say that it holds a secret",
            where=f"--key-env {plain(variable, 80)}",
            cause=f"Its value is kept out of logs, and `api_key: env:NAME` takes it, where "
            f"{SECRET_NAMES}.",
            cure="For example TEMPER_API_KEY.",
        )
    key = os.environ.get(variable, "").strip()
    if len(key) < _SHORTEST or not key.isascii() or not key.isprintable():
        raise UsageError(
            "this environment variable holds no key",
            where=f"--key-env {variable}",
            cause=f"It is not set, or has fewer than {_SHORTEST} printable ASCII characters.",
            cure=f"export {variable}=$(openssl rand -hex 20), and give clients the same.",
        )
    return key


def made_key() -> str:
    """Return a new key, in a form that every log and record of ours removes."""
    return f"local-{secrets.token_hex(20)}"


def show_key(key: str) -> None:
    """Show a key on the terminal, and nowhere else.

    Raises:
        UsageError: there is no terminal: it would end in a file.
    """
    if not sys.stderr.isatty():
        raise UsageError(
            "there is no terminal to show the key on",
            cause="It is made anew each time, shown once, and written nowhere.",
            cure="Give one of your own: --key-env NAME",
        )
    sys.stderr.write(f"key     {key}   (shown once, kept nowhere)\n")
    sys.stderr.flush()
