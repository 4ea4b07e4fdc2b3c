"""Personal data and keys in text: patterns, and a check of each find that keeps false alarms out.

Every pattern is bounded and begins where a look-behind allows it to, so that a long run of letters
or digits takes linear time.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from curate.steps.quality.phones import PHONE, phone_key

MIGHT_HOLD = (
    r"@|[0-9](?:[-. ()/]{0,3}[0-9]){6}|(?:[0-9]{1,3}\.){3}[0-9]"
    r"|[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:|[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4}"
    r"|(?i:(?:key|token|secret|passw(?:or)?d)s?[\\\"']{0,3}[ \t]{0,3}[:=]|bearer[ \t])|-----BEGIN"
    r"|sk-|[sr]k_|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|hf_|xox|AIza|eyJ|npm_|SG\.|\\u00[2-7]"
)
"""A Rust regex that every text with a find matches; most texts do not, and are done with."""


@dataclass(frozen=True)
class Find:
    """One value in a text."""

    kind: str
    begin: int
    end: int
    key: str
    """Equal for two spellings of one value."""


@dataclass(frozen=True)
class Detector:
    """A pattern and what makes its matches true."""

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[re.Match[str]], str | None]
    """Returns the value's key, or None where the match is a false alarm."""


_EMAIL = re.compile(
    r"(?<![\w.%+@/:=-])[\w%+][\w.%+'-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,5}"
    r"(?:xn--[a-z0-9-]{2,20}|[A-Za-z]{2,18})(?![^\W_]|_(?![0-9])|[@(=]|\.\w)"
    r"|(?<=[:=/])[\w%+][\w.%+'-]{0,63}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,5}"
    r"[A-Za-z]{2,18}(?![^\W_]|_(?![0-9])|[@(=]|\.\w)"
)
# Attributes that follow a matrix product in code: `x@w.T`, `a@b.shape`.
_ATTRIBUTES = {"shape", "dot", "mean", "sum", "transpose", "inv", "flatten", "size", "py", "js"}
_OBJECTS = ("self.", "cls.", "torch.", "np.")


def _email(found: re.Match[str]) -> str | None:
    value = found.group()
    local, _, domain = value.partition("@")
    top = domain.rsplit(".", 1)[1]
    if (
        local in ("git", "hg")
        or domain.startswith(_OBJECTS)
        or ".." in local
        or local.endswith(".")
    ):
        return None
    if top in _ATTRIBUTES or (len(top) == 1) or (top.lower() != top and top.upper() != top):
        return None
    return value.lower()


_CARD = re.compile(
    r"(?<![\w.,+*/^=$€£-])(?<![0-9][ -])"
    r"(?:[0-9]{13,19}|[0-9]{4}([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3})?"
    r"|3[0-9]{3}([ -])[0-9]{6}\2[0-9]{4,5})(?![\w*/^=%]|[.,-][0-9]| [-+*/=] ?[0-9]| [0-9])"
)
_ISSUERS: tuple[tuple[range, int, tuple[int, ...]], ...] = (
    (range(4, 5), 1, (13, 16, 19)),
    (range(51, 56), 2, (16,)),
    (range(2221, 2721), 4, (16,)),
    (range(34, 35), 2, (15,)),
    (range(37, 38), 2, (15,)),
    (range(300, 306), 3, (14,)),
    (range(36, 37), 2, (14,)),
    (range(38, 40), 2, (14,)),
    (range(6011, 6012), 4, (16, 19)),
    (range(644, 650), 3, (16, 19)),
    (range(65, 66), 2, (16, 19)),
    (range(3528, 3590), 4, (16, 19)),
    (range(62, 63), 2, (16, 17, 18, 19)),
    (range(5018, 5021), 4, (16, 18, 19)),
    (range(6304, 6305), 4, (16, 18, 19)),
    (range(6759, 6764), 4, (16, 18, 19)),
)
"""First digits, how many of them, and the lengths of an issuer's numbers."""


def _card(found: re.Match[str]) -> str | None:
    digits = re.sub("[^0-9]", "", found.group())
    issued = any(
        int(digits[:count]) in first and len(digits) in lengths
        for first, count, lengths in _ISSUERS
    )
    return digits if issued and len(set(digits)) > 1 and luhn(digits) else None


def luhn(digits: str) -> bool:
    """Return whether the last digit checks the others (ISO/IEC 7812-1).

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    total = sum(map(int, digits[::-2])) + sum(value - 9 * (value > 9) for value in doubled)
    return total % 10 == 0


_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30, "NL": 18,
    "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "SA": 24,
    "SC": 31, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28, "TL": 23, "TN": 24,
    "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country: SWIFT's registry."""


def _iban(found: re.Match[str]) -> str | None:
    value = found.group().replace(" ", "")
    if len(value) != _IBAN_LENGTHS.get(value[:2]):
        return None
    number = "".join(str(int(character, 36)) for character in value[4:] + value[:4])
    return value if int(number) % 97 == 1 else None


_IP = re.compile(
    r"(?<![\w.:-])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![\w:]?\.?[0-9]|\w)"
    r"|(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:){2}[0-9A-Fa-f:]{0,32}[0-9A-Fa-f](?![\w:.])"
)
_VERSION = re.compile(r"(?i)(?:v|ver|version|release|section|chapter|build|rev)[. :#]{0,3}$")
_DOCUMENTATION = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)


def _ip(found: re.Match[str]) -> str | None:
    value = found.group()
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return None
    stands_for_one = any(address in net for net in _DOCUMENTATION)
    if not (address.is_global or stands_for_one) or address.is_multicast:
        return None
    if address.version == 4:
        # 1.2.3.4 is a heading, 8.8.8.8 everybody's; few addresses have three small octets.
        if sum(int(part) > 9 for part in value.split(".")) < 2:
            return None
        before = found.string[max(0, found.start() - 12) : found.start()]
        return None if _VERSION.search(before) else value
    return address.compressed if value.count(":") > 2 else None


_KEY = re.compile(
    r"-----BEGIN (?P<label>[A-Z ]{0,30})PRIVATE KEY-----"
    r"[A-Za-z0-9+/=\s:,.\\-]{0,8000}?(?:-----END (?P=label)PRIVATE KEY-----|\Z)"
    r"|(?<![A-Za-z0-9_-])(?:"
    r"(?:AKIA|ASIA)[0-9A-Z]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{22,255}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|xox[abeprs]-[A-Za-z0-9-]{10,250}"
    r"|AIza[A-Za-z0-9_-]{35}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,128}"
    r"|SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"
    r"|eyJ[A-Za-z0-9_-]{10,4000}\.eyJ[A-Za-z0-9_-]{5,8000}\.[A-Za-z0-9_-]{10,2000}"
    r"|sk-(?P<random>(?:(?:proj|ant|or|svcacct|admin|api03|v1)-){0,3}[A-Za-z0-9_-]{20,250})"
    r")(?![A-Za-z0-9_-])"
    r"|(?i:\bbearer[ \t]{1,3})(?P<bearer>[A-Za-z0-9._~+/-]{20,2000}=*)"
    r"|(?i:(?<![A-Za-z0-9])(?:api|secret|access|auth|private|client|session)[_-]?"
    r"(?:key|token|secret)s?|(?<![A-Za-z0-9])(?:token|secret|passwd|password))"
    r"[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?(?P<assigned>[A-Za-z0-9+/_.~=-]{16,500})"
    r"|(?<=://)[^/\s:@\"'<>]{1,64}:(?P<url>[^/\s:@\"'<>{}$]{3,128})(?=@[A-Za-z0-9])"
)
_MIN_BITS = 3.3
"""Least bits for each character of a random value: words and numbers in order have fewer."""


def _key(found: re.Match[str]) -> str | None:
    groups = found.groupdict()
    for name in ("random", "bearer", "assigned"):
        value = groups[name]
        if value and not _random(value):
            return None
    if groups["url"] and groups["url"].strip("*xX.").lower() in ("", "password", "pass", "pwd"):
        return None
    return next((groups[name] for name in ("bearer", "assigned") if groups[name]), found.group())


def _random(value: str) -> bool:
    counts = Counter(value)
    bits = -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values())
    mixed = re.search("[0-9]", value) and re.search("[A-Za-z]", value)
    return bool(mixed) and bits >= _MIN_BITS and len(re.findall("[0-9]", value)) >= 3


_DETECTORS = (
    Detector("key", _KEY, _key),
    Detector("email", _EMAIL, _email),
    Detector("iban", _IBAN, _iban),
    Detector("card", _CARD, _card),
    Detector("ip", _IP, _ip),
    Detector("phone", PHONE, phone_key),
)


def find_personal(text: str, kinds: Iterable[str]) -> list[Find]:
    """Return what is found in a text, from left to right; finds do not overlap.

    Args:
        text: any text.
        kinds: of `PERSONAL_KINDS`; the surer kind comes first where two would overlap.

    >>> [find.kind for find in find_personal("Mail bob@mail.org, 4111 1111 1111 1111", ["email"])]
    ['email']
    """
    wanted = frozenset(kinds)
    taken: list[Find] = []
    for detector in _DETECTORS:
        if detector.kind not in wanted:
            continue
        for found in detector.pattern.finditer(text):
            key = detector.check(found)
            if key is None:
                continue
            begin, end = _span(found)
            if all(end <= other.begin or begin >= other.end for other in taken):
                taken.append(Find(detector.kind, begin, end, key))
    return sorted(taken, key=lambda find: find.begin)


def _span(found: re.Match[str]) -> tuple[int, int]:
    """A key goes without the name it is assigned to."""
    for name in ("bearer", "assigned"):
        if name in found.re.groupindex and found.group(name):
            return found.span(name)
    return found.span()
