"""Placeholders that a template left and nobody filled."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from curate.phrases import phrase
from curate.reasons import Reason
from curate.steps.quality.configs import Placeholders
from curate.steps.quality.rules.base import Quiet, broken, without_code

_NOUN = (
    r"(?:name|first ?name|last ?name|surname|full name|date|year|month|day|time|address|city|town"
    r"|state|country|zip(?: code)?|phone(?: number)?|e-?mail(?: address)?|title|job title|position"
    r"|role|company|organi[sz]ation|employer|school|university|degree|product|service|topic|subject"
    r"|location|venue|amount|price|number|link|url|website|signature|recipient|sender|customer|client"
    r"|manager|department|industry|field|text|description|details|reason|age|event)"
)
_YOUR = r"(?:your|their|his|her|my|our|the|(?:recipient|sender|company|customer|employer)'?s?)"
_ASK = r"(?:insert|enter|add|fill in|put|specify|provide|replace with)"
BRACED = r"(?:^|[^\\\w{}^_$])\{\{ ?[a-z][a-z0-9]*(?:[_.-][a-z0-9]+)* ?\}\}(?:[^}\w]|$)"
"""`{{name}}`, but not the doubled braces of LaTeX."""
BRACKETED = (
    rf"(?i)\[(?:{_YOUR} (?:[a-z'-]+ ){{0,2}}{_NOUN}s?|{_ASK} [^\]\n]{{2,60}}"
    rf"|{_NOUN} of (?:the )?[a-z ]{{3,30}})\]"
)
NAMED = (
    r"\[(?:NAME|FIRST NAME|LAST NAME|FULL NAME|DATE|ADDRESS|CITY|COMPANY(?: NAME)?|EMAIL|PHONE"
    r"|PHONE NUMBER|TITLE|URL|LINK|AMOUNT|PRODUCT(?: NAME)?|LOCATION|Name|Date|Company(?: Name)?"
    r"|First Name|Last Name|Full Name|Job Title|Product(?: Name)?|Phone Number|Email Address"
    r"|Recipient(?: Name)?|Position|City|Address)\](?:[^(\[:]|$)"
)
ANGLED = rf"(?i)<(?:{_ASK} [^<>\n/]{{2,60}}|{_YOUR}[ _-]{_NOUN}(?:[ _-][a-z]+)?)>"
_WANTED = (
    r"(?i)\btemplates?\b|placeholder|fill[- ]in|mad ?lib|form letter|boilerplate|\bblanks?\b"
    r"|jinja|handlebars|mustache|\bvariables?\b"
)


class PlaceholdersRule(Quiet):
    """Looks outside code, and asks whether the prompt wanted a template."""

    name: ClassVar[str] = "placeholders"

    def __init__(self, config: Placeholders) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose answer, or the whole plain text, has a placeholder left."""
        kinds = {"{{…}}": BRACED, "[…]": f"{BRACKETED}|(?-i:{NAMED})", "<…>": ANGLED}
        text = without_code(pl.col("said"))
        which = pl.coalesce(
            pl.when(text.str.contains(pattern) & ~pl.col("asked").str.contains(pattern)).then(
                pl.lit(kind)
            )
            for kind, pattern in kinds.items()
        )
        some = block.filter(pl.col("said").str.contains(r"[\[{<]")).with_columns(which.alias("n"))
        asked_for = pl.col("asked").str.contains(_WANTED)
        detail = phrase("a placeholder of the form {} is not filled", "n")
        when = pl.col("n").is_not_null() & ~asked_for
        return broken(some, when, Reason.PLACEHOLDER, detail)
