"""Statistics of paired evaluation: pure functions over numpy arrays and counts.

    paired  paired_interval  noninferiority     right-or-wrong answers of two models
    continuous  clustered                       any scores; items that belong together
    power  multiplicity  sequential             how many items, many abilities, many looks
    proportions  choice  perplexity  passk      one model's scores
    forgetting  memorisation  membership        what tuning took away, what is recited
    drift  preference  calibration              distributions, judges, stated certainty

Nothing here reads files, imports torch or keeps state; random draws take a seed. Every formula is
checked against reference values computed apart from this code.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.stats.interval import Interval
    from evalsuite.stats.paired import PairedCounts, mcnemar
    from evalsuite.stats.paired_interval import tango_bound, tango_interval

__all__ = ["Interval", "PairedCounts", "mcnemar", "tango_bound", "tango_interval"]


def __getattr__(name: str) -> Any:
    # Only what is asked for is imported: scipy takes longer to load than small curations run.
    if name not in __all__:
        raise AttributeError(f"module 'evalsuite.stats' has no attribute {name!r}")
    from evalsuite.stats import interval, paired, paired_interval

    holder = next(one for one in (interval, paired, paired_interval) if hasattr(one, name))
    return getattr(holder, name)
