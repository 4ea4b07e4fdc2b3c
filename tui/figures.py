"""Numbers as people read them on a narrow screen."""

from __future__ import annotations

import math
import time


def duration(seconds: float) -> str:
    """Return a length of time with two units at most.

    >>> duration(7.2), duration(65), duration(7830), duration(273600)
    ('7s', '1m05s', '2h10m', '3d04h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def measure(value: float) -> str:
    """Return a measured value with four significant digits.

    >>> measure(0.52134), measure(12.5), measure(0.00002)
    ('0.5213', '12.5', '2e-05')
    """
    return f"{value:.4g}"


def count(value: float) -> str:
    """Return a count in at most five characters.

    >>> count(987), count(2_866), count(12_345), count(3_100_000)
    ('987', '2,866', '12.3k', '3.1M')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            return f"{value / (1e3 if unit == 'k' else limit):.1f}{unit}"
    return f"{value:,.0f}"


def moment(seconds: float, now: float | None = None) -> str:
    """Return a point in local time: the hour if it is today, else the day too."""
    try:
        then = time.localtime(seconds)
    except (OverflowError, ValueError, OSError):
        return ""
    today = time.localtime(now)
    if (then.tm_year, then.tm_yday) == (today.tm_year, today.tm_yday):
        return time.strftime("%H:%M", then)
    return time.strftime("%d %b %H:%M" if then.tm_year == today.tm_year else "%d %b %Y", then)


def nice_step(span: float, most: int) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that cuts `span` into at most `most`."""
    if not span > 0 or not math.isfinite(span):
        return 1.0
    raw = span / max(1, most)
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1.0, 2.0, 5.0):
        if factor * power >= raw * (1 - 1e-9):
            return factor * power
    return 10.0 * power
