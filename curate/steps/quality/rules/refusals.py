"""Answers that decline, and boilerplate in which some other assistant speaks about itself."""

from __future__ import annotations

from typing import ClassVar

import polars as pl

from curate.reasons import Reason
from curate.steps.quality.configs import Refusals
from curate.steps.quality.rules.base import FOUND, Quiet, broken, without_code

_NOT = r"(?:can(?:no|')t|can not|won't|will not|am (?:not able|unable)|'m (?:not able|unable))"
_HELP = (
    r"(?:help|assist|answer|provide|fulfil?l|comply|complete|generate|create|write|give|offer|support"
    r"|engage|discuss|respond|do (?:that|this)|be able|share|access|browse|process|perform|produce"
    r"|tell you|participate|continue)"
)
REFUSAL = (
    r"(?i)^\W*(?:"
    r"(?:(?:i'?m|i am) (?:very |really |so |terribly |truly )?(?:sorry|afraid)|(?:my )?apologies"
    r"|i apologi[sz]e|sorry|unfortunately|no,)[^\n.!?]{0,12}[,.!:;–—-]* ?(?:but |however,? |that )?"
    rf"(?:as an ai[^.\n]{{0,40}}, ?)?i (?:simply |just |really )?{_NOT} (?:to )?{_HELP}"
    rf"|i (?:simply |just )?{_NOT} (?:to )?{_HELP} (?:with|to|you|on|in|any|your|this|that) "
    r"|i (?:must|have to|need to) (?:respectfully )?(?:decline|refuse)"
    r"|i (?:don't|do not) (?:feel comfortable|think i can help)"
    r"|(?:i'?m|i am) not (?:able|comfortable|going) (?:to |with )"
    rf"{_HELP}"
    r"|this (?:content|request|prompt) (?:violates|goes against)"
    r")"
)
IDENTITY = (
    r"(?i)\b(?:as|since i am|since i'm|because i am|because i'm|i am|i'm|i am just|i'm just) "
    r"(?:only |just |merely )?an? (?:ai|artificial intelligence|large)(?:[- ]powered|[- ]based)?"
    r"(?: ?language model| assistant| chatbot| model|,? ?i (?:do not|don't|cannot|can't|am not))"
    r"|\bas a (?:large )?language model\b"
    r"|\bmy (?:knowledge|training)(?: data)? (?:cut-?off|only goes|was last updated)"
    r"|\bi (?:was|am) (?:created|developed|trained|made|built) by (?:openai|anthropic|google"
    r"|meta(?: ai)?|microsoft|mistral|alibaba|deepseek|databricks|lmsys|large model systems)"
    r"|\bi(?:'m| am) (?:chatgpt|gpt-?[34]\S*|claude|bard|gemini|llama|vicuna|alpaca|qwen"
    r"|open ?assistant|a language model)\b"
)


class RefusalsRule(Quiet):
    """Refusals are looked for where an answer begins, identity anywhere outside code."""

    name: ClassVar[str] = "refusals"

    def __init__(self, config: Refusals) -> None:
        self.config = config

    def find(self, block: pl.DataFrame) -> pl.DataFrame:
        """Return the rows with such an answer."""
        parts = [pl.DataFrame(schema=FOUND)]
        plain = pl.col("said").str.replace_all("’", "'", literal=True)
        if "refusal" in self.config.kinds:
            begins = pl.col("last").str.replace_all("’", "'", literal=True).str.slice(0, 300)
            said = pl.lit("the answer begins by declining")
            parts.append(broken(block, begins.str.contains(REFUSAL), Reason.REFUSAL, said))
        if "identity" in self.config.kinds:
            quoted = pl.col("asked").str.contains(r"(?i)language model|\bAI\b|artificial intell")
            when = without_code(plain).str.contains(IDENTITY) & ~quoted
            said = pl.lit("boilerplate of an assistant about itself")
            parts.append(broken(block, when, Reason.IDENTITY, said))
        return pl.concat(parts)
