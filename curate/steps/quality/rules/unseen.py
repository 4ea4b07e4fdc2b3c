"""Prompts about what the model cannot see: a page behind a link, an image, a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import polars as pl

from curate.reasons import Reason
from curate.steps.quality.configs import Unseen
from curate.steps.quality.rules.base import FOUND, Quiet, broken, without_code, words
from curate.texts import IMAGE_EDGE

_URL = r"(?i)\b(?:https?://|www\.)[^\s<>\"']{3,}"
_ABOUT_PAGE = (
    r"(?i)\b(?:summari[sz]e|read|visit|open|watch|browse|check out|look at|go to|review|analy[sz]e"
    r"|translate|access|click|according to|based on|from|in|at|on|this|following)\b[^.?!\n]{0,60}$"
)
_FEW_WORDS = 40
"""A prompt with a link and this many other words brings its text along."""
_PICTURE = (
    r"(?:image|picture|photo(?:graph)?|screenshot|figure|diagram|chart|graph|drawing|painting|map"
    r"|video|attachment|pdf)s?"
)
_IMAGE = (
    r"(?i)!\[[^\]\n]{0,200}\]\([^)\s]{1,2000}\)|<img\s|<image>|\[image\]|\[img\]"
    r"|\bthe (?:attached|following|accompanying|uploaded) (?:image|picture|photo|screenshot)\b"
    r"|\b(?:attached|enclosed|uploaded) (?:image|picture|photo|screenshot|pdf|file|document)\b"
    rf"|\b(?:the|this|these) {_PICTURE} (?:(?:shown|given|provided) )?(?:above|below|attached)\b"
    rf"|\b(?:shown|seen|depicted|illustrated|pictured) in the (?:\w+ )?{_PICTURE}\b"
    rf"|\bin the (?:attached |following |above )?{_PICTURE} (?:above|below|attached|shown)\b"
    r"|\b(?:describe|caption|look at|what is in|what's in) (?:this|the attached|the given) "
    rf"{_PICTURE}\b"
)


_IMAGE_WORDS = (
    *("image", "picture", "photo", "screenshot", "figure", "diagram", "chart", "graph", "drawing"),
    *("painting", "map", "video", "attach", "enclosed", "uploaded", "pdf", "![", "<img", "[img"),
)
_DRAWN = r"(?i)\[asy\]|\\begin\{tikzpicture\}|<svg|\|[ :-]*-{3,}"
"""A drawing as code, or a table, is text that the model sees."""


class UnseenRule(Quiet):
    """Judges prompts alone; a link beside the text that it belongs to is left."""

    name: ClassVar[str] = "unseen"

    def __init__(self, config: Unseen) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose prompt needs what is not there."""
        parts = [pl.DataFrame(schema=FOUND)]
        asked = without_code(pl.col("user"))
        if "url" in self.config.kinds:
            some = _with_any(block, ("http", "www."))
            before = asked.str.extract(rf"(?s)^(.*?){_URL}", 1).str.strip_chars_end(" :\n(<[\"'")
            few = words(asked.str.replace_all(_URL, " ")) < _FEW_WORDS
            when = few & (before.str.contains(_ABOUT_PAGE) | (before == ""))
            said = pl.lit(f"asks about a link, with fewer than {_FEW_WORDS} words beside it")
            parts.append(broken(some, when, Reason.UNSEEN_URL, said))
        if "image" in self.config.kinds:
            some = _with_any(block, _IMAGE_WORDS)
            there = pl.col("user").str.contains(IMAGE_EDGE, literal=True)
            when = asked.str.contains(_IMAGE) & ~asked.str.contains(_DRAWN) & ~there
            said = pl.lit("asks about an image or a file that is not in the row")
            parts.append(broken(some, when, Reason.UNSEEN_IMAGE, said))
        return pl.concat(parts)


def _with_any(block: pl.DataFrame, literals: Sequence[str]) -> pl.DataFrame:
    """Return the rows in which a slow expression can match at all."""
    return block.filter(
        pl.col("user").str.contains_any(list(literals), ascii_case_insensitive=True)
    )
