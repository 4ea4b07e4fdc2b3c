"""How far a program can be kept apart on this machine."""

from __future__ import annotations

import functools
import sys
from enum import StrEnum
from typing import Literal

from evalsuite.sandbox.limits import Limits
from evalsuite.sandbox.run import Program, run
from workspace.errors import UsageError

Isolation = Literal["namespaces", "limits"]
_TRIED = Program({"main.py": "print('here')"}, "main.py")


class Tier(StrEnum):
    """What keeps a program apart."""

    NAMESPACES = "namespaces"
    """Linux namespaces: no network, no files but the system's libraries and Python's own
    (read-only) and an empty directory in memory, no other processes, no rights, no environment;
    limits on time, memory, processes and files; all ends with it. The kernel is shared: a fault
    in it is a way out, and the processor's side channels are open. For programs that an enemy
    wrote with care, use a virtual machine besides."""
    LIMITS = "limits"
    """Limits on time, memory and files, an empty directory and environment, and its processes
    killed at the end. It may use the network, read and write whatever this user may, and signal
    this user's other processes; for root the number of processes is not limited. It keeps
    accidents apart, not attacks."""


@functools.cache
def best_tier() -> tuple[Tier, str]:
    """Return the strongest tier that this machine has, and why not a stronger one."""
    if sys.platform != "linux":
        return Tier.LIMITS, f"{sys.platform} has no namespaces"
    found = run(_TRIED, Limits(), Tier.NAMESPACES)
    if found.ended == "exit" and found.stdout == "here\n":
        return Tier.NAMESPACES, ""
    why = found.detail or found.stderr.strip()[-200:] or f"ended by {found.ended}"
    return Tier.LIMITS, f"namespaces cannot be made: {why}"


def demand_tier(isolation: Isolation) -> Tier:
    """Return the tier to run in.

    Args:
        isolation: the least that a recipe takes.

    Raises:
        UsageError: this machine has less.
    """
    tier, why = best_tier()
    if tier is Tier.LIMITS and isolation != "limits":
        raise UsageError(
            "this machine cannot keep programs apart",
            where="isolation",
            cause=f"{why}. Without namespaces a program that the model wrote could use the "
            "network and read and write your files.",
            cure="Allow unprivileged user namespaces (sysctl user.max_user_namespaces, "
            "kernel.apparmor_restrict_unprivileged_userns=0; in Docker "
            "`--security-opt seccomp=unconfined`), or run in a machine that holds nothing else and "
            "say `isolation: limits`, which is recorded.",
        )
    return tier
