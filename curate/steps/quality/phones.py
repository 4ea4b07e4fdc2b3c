"""Telephone numbers: international ones, and the national forms that are no other number.

A bare run of digits is a telephone number only where the text says so ("call", "tel") or where it
begins like a British one; anything else could be an amount, an order number or a result.
"""

from __future__ import annotations

import re

_NOT_BEFORE = r"(?<![\w.,+*/^=$€£#&-])(?<![0-9][ (])"
_NOT_AFTER = r"(?![\w*/^=%]|[.,][0-9]|-[0-9]| ?[-+*/=×] ?[0-9])"
PHONE = re.compile(
    rf"{_NOT_BEFORE}(?:"
    r"(?P<international>\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{1,5}\)?){2,6})"
    r"|(?P<american>(?:1[ .-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ]"
    r"[0-9]{4})"
    r"|(?P<french>0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4}))"
    r"|(?P<british>0[1235789][0-9]{9}|\(?0[127][0-9]{2,4}\)?[ -][0-9]{3,4}[ -]?[0-9]{3,4})"
    r"|(?P<told>\(?[0-9]{2,5}\)?(?:[ ./-]?[0-9]{2,5}){1,4})"
    rf"){_NOT_AFTER}"
)
_TOLD = re.compile(
    r"(?i)(?:\b(?:tele?phone|phone|tel|mobile|cell|fax|hotline|helpline|whatsapp|dial|ring|"
    r"landline|telefon|handy|téléphone|teléfono|móvil|call (?:me|us|now|free)(?: on| at)?)"
    r"(?: (?:number|no|nr|num|line))?(?: is| are| on| at)?[.:#]{0,2} ?)$"
)
_CONTEXT = 32


def phone_key(found: re.Match[str]) -> str | None:
    """Return the digits of a telephone number, or None where it is another number."""
    digits = re.sub("[^0-9]", "", found.group())
    how = found.lastgroup
    if len(set(digits)) < 3 or digits in "01234567890123456789" or digits in "98765432109876543210":
        return None
    before = found.string[max(0, found.start() - _CONTEXT) : found.start()]
    if how == "international":
        return digits if 8 <= len(digits) <= 15 and not _sum(found, before) else None
    if how == "american":
        return digits if digits[-9:-7] != "11" and digits[-6:-4] != "11" else None
    if how == "british" and len(digits) not in (10, 11):
        return digits if _told(digits, before) else None
    if how == "told":
        return digits if _told(digits, before) else None
    return digits


def _told(digits: str, before: str) -> bool:
    return 7 <= len(digits) <= 15 and bool(_TOLD.search(before))


def _sum(found: re.Match[str], before: str) -> bool:
    """`12 +34567890` is arithmetic."""
    return bool(re.search(r"[0-9)=*/^x] ?$", before))
