"""Text with its encoding repaired: nothing that a reader sees in ASCII is another afterwards.

Mojibake is UTF-8 that was read as another encoding; ftfy (Speer 2019) finds and undoes it. What
ftfy would do beside that (HTML entities, straight quotes, full-width digits, ligatures) stays off.
Code between backticks is left as it is, and outside it every ASCII digit, operator and bracket must
be the same before and after, or the text keeps its old form.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftfy import TextFixerConfig

_CODE = re.compile(r"^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1|\Z)|`[^`\n]{1,500}`", re.M | re.S)
# The third byte of a closing quote, 0x9D, is no character in Windows-1252 and is often lost;
# ftfy would read what is left, with the space that follows, as a dagger.
_LOST_QUOTE = re.compile("â€(?![\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ])")
_ESCAPES = re.compile(r"\x1b\[[0-?]{0,32}[ -/]{0,8}[@-~]|\x1b\][^\x07\x1b]{0,500}(?:\x07|\x1b\\)")
_FLAG = "\U0001f3f4[\U000e0020-\U000e007e]{1,12}\U000e007f"
# Thai, Lao, Burmese and Khmer mark where words end with a zero-width space.
_UNSPACED = "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]"
_CONTROLS = re.compile(
    f"({_FLAG})"
    "|[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u180e\u2060-\u2064\u202a-\u202e\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
    f"|(?<!{_UNSPACED})\u200b|\u200b(?!{_UNSPACED})"
)
_BREAKS = {"\x85": "\n", "\u2028": "\n", "\u2029": "\n\n"}
_BREAK = re.compile("[\x85\u2028\u2029]")
_LETTERS_AND_SPACE = re.compile(r"[^!-@\[-`{-~]+")


@dataclass
class Mended:
    """How much was mended."""

    mojibake: int = 0
    """Sequences of characters that stood for one."""
    controls: int = 0
    """Control and invisible characters taken out."""
    forms: int = 0
    """Passages that were not in NFC."""


def mend(
    text: str, done: Mended, *, encoding: bool = True, controls: bool = True, nfc: bool = True
) -> str:
    """Return the text repaired, and count in `done` what was.

    >>> mend("donâ€™t", done := Mended()), done.mojibake
    ('don’t', 1)
    >>> mend("`donâ€™t`", Mended())
    '`donâ€™t`'
    """
    if text.isascii() and (text.isprintable() or not controls):
        return text
    parts, end = [], 0
    for code in _CODE.finditer(text):
        parts += [_prose(text[end : code.start()], done, encoding, controls, nfc), code.group()]
        end = code.end()
    parts.append(_prose(text[end:], done, encoding, controls, nfc))
    return "".join(parts)


def _prose(text: str, done: Mended, encoding: bool, controls: bool, nfc: bool) -> str:
    if encoding and not text.isascii():
        text = _decoded(text, done)
    if controls:
        text = _cleaned(text, done)
    if nfc and not unicodedata.is_normalized("NFC", text):
        composed = unicodedata.normalize("NFC", text)
        if _symbols(composed) == _symbols(text):
            done.forms += 1
            text = composed
    return text


@cache
def _settings() -> TextFixerConfig:
    from ftfy import TextFixerConfig

    return TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )


def _decoded(text: str, done: Mended) -> str:
    from ftfy import fix_text
    from ftfy.chardata import UTF8_DETECTOR_RE

    whole = _LOST_QUOTE.sub("â€\x9d", text)
    fixed = fix_text(whole, _settings())
    if fixed == text or _symbols(fixed) != _symbols(text):
        return text
    done.mojibake += max(1, len(UTF8_DETECTOR_RE.findall(whole)))
    return fixed


def _cleaned(text: str, done: Mended) -> str:
    text, escapes = _ESCAPES.subn("", text)
    text, breaks = _BREAK.subn(lambda found: _BREAKS[found.group()], text)
    cleaned = _CONTROLS.sub(lambda found: found.group(1) or "", text)
    done.controls += escapes + breaks + len(text) - len(cleaned)
    return cleaned


def _symbols(text: str) -> str:
    """Return the ASCII digits, operators, brackets and punctuation of a text, in their order."""
    return _LETTERS_AND_SPACE.sub("", text)
