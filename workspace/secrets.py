"""Secrets are never written in recipes, and are removed from everything we write.

A recipe is shared, committed and copied into runs, so what looks like a key in one is refused.
Keys stay in environment variables (the hub's in `HF_TOKEN`).
"""

from __future__ import annotations

import os
import re

from workspace.errors import UsageError

# Shapes of well-known keys: hub, OpenAI-like, GitHub, AWS, Slack, Weights & Biases, JWT, PEM.
_KEY_SHAPES = re.compile(
    r"hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}"
    r"|AKIA[0-9A-Z]{16}|xox[abprs]-[A-Za-z0-9-]{10,}|local-[0-9a-f]{40}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
_IN_ADDRESS = re.compile(r"""://[^/\s"'<>]+@""")
"""A user and a password before a host, as in the address of a database."""
_IN_QUERY = re.compile(r"([?&](?:password|passwd|token|secret|api_?key)=)[^&\s\"'<>]+", re.I)
_SECRET_VARIABLE = re.compile(r"(TOKEN|SECRET|PASSWORD|API_KEY|ACCESS_KEY)$")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_SHORTEST = 8
SECRET_NAMES = "NAME ends in API_KEY, ACCESS_KEY, TOKEN, SECRET or PASSWORD"
"""What variables must be called for `redact` to know that they hold a secret."""


def is_reference(text: str) -> bool:
    """Return whether `text` is `env:NAME` with a name whose value `redact` removes.

    >>> is_reference("env:OPENAI_API_KEY"), is_reference("env:HOME"), is_reference("sk-abc")
    (True, False, False)
    """
    return bool(_REFERENCE.fullmatch(text) and _SECRET_VARIABLE.search(text))


def shown_reference(text: str) -> str:
    """Return what may be shown of something given as a secret: `env:NAME` alone.

    >>> shown_reference("env:TKEY"), shown_reference("env:" + "AKIA" + "A" * 16)
    ('env:TKEY', 'something else (hidden)')
    """
    named = re.fullmatch(r"env:[A-Z][A-Z0-9_]{0,39}", text) and not looks_like_secret(text)
    return text if named else "something else (hidden)"


def secret_of(reference: str) -> str:
    """Return the secret that `env:NAME` names.

    Raises:
        UsageError: it is no such reference, or the variable is not set.
    """
    if not is_reference(reference):
        raise UsageError("a secret is named as env:NAME, never written out")
    name = reference.removeprefix("env:")
    value = os.environ.get(name, "").strip()
    if not value:
        raise UsageError(
            f"the environment variable {name} is not set",
            cause="The recipe names it for a key.",
            cure=f"export {name}=… in the shell that starts the command.",
        )
    return value


def looks_like_secret(text: str) -> bool:
    """Return whether `text` holds something shaped like a key of a known service."""
    return bool(_KEY_SHAPES.search(text))


def redact(text: str) -> str:
    """Return `text` without what is shaped like a key, is before the host of an address, or is the
    value of a secret variable.

    >>> redact("Bearer hf_" + "a" * 30)
    'Bearer [secret]'
    >>> redact("postgresql://ada:lovelace@db/runs")
    'postgresql://[secret]@db/runs'
    """
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and _SECRET_VARIABLE.search(name) and value in text:
            text = text.replace(value, f"[secret {name}]")
    text = _IN_ADDRESS.sub("://[secret]@", text)
    return _KEY_SHAPES.sub("[secret]", _IN_QUERY.sub(r"\1[secret]", text))
