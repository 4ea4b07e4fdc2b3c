"""`junit.xml`: one test case per ability and check, for continuous integration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from xml.etree import ElementTree

from evalsuite.report.document import ComparisonRecord, Results
from evalsuite.verdict import AbilityResult, Canary
from workspace.text import plain

# XML 1.0 has no way at all to write these, not even escaped; `plain` leaves only the last two.
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(results: Results) -> bytes:
    """Return the document; text from data has its control characters made visible.

    A failed ability is a failure, an undecided or unmeasured one is skipped with the reason, and
    under an invalid verdict every case is an error.
    """
    root = ElementTree.Element("testsuites", name=_text(results.heading))
    for comparison in results.comparisons:
        root.append(_suite(results, comparison))
    for key, tag in (("tests", None), ("failures", "failure"), ("errors", "error")):
        root.set(key, str(_count(root, tag)))
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _suite(results: Results, comparison: ComparisonRecord) -> ElementTree.Element:
    name = _text(f"{comparison.base} against {comparison.tuned}")
    suite = ElementTree.Element("testsuite", name=name, timestamp=_text(results.created))
    known = [one for one in results.bases() if one.name == comparison.base]
    if known:
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="base", value=_text(known[0].place))
    for name, canary in _checks((*results.canaries, *comparison.verdict.canaries)):
        suite.append(_canary(comparison, name, canary))
    for ability in comparison.verdict.abilities:
        suite.append(_ability(comparison, ability))
    for key, tag in (
        ("tests", None),
        ("failures", "failure"),
        ("errors", "error"),
        ("skipped", "skipped"),
    ):
        suite.set(key, str(_count(suite, tag)))
    return suite


def _count(element: ElementTree.Element, tag: str | None) -> int:
    return sum(1 for _ in element.iterfind(f".//testcase/{tag}" if tag else ".//testcase"))


def _ability(comparison: ComparisonRecord, ability: AbilityResult) -> ElementTree.Element:
    kind = "target" if ability.purpose == "target" else "retention"
    case = _case(comparison, kind, ability.name)
    sentence = _text(ability.sentence)
    if comparison.verdict.status == "invalid":
        _note(case, "error", comparison.verdict.headline, sentence)
    elif ability.verdict == "fail":
        _note(case, "failure", f"{ability.name}: {sentence}", sentence)
    elif ability.verdict != "pass":
        _note(case, "skipped", f"{ability.verdict}: {sentence}", "")
    else:
        ElementTree.SubElement(case, "system-out").text = sentence
    return case


def _checks(canaries: Iterable[Canary]) -> Iterator[tuple[str, Canary]]:
    """Yield each check once, with a name of its own: readers of JUnit keep one case a name.

    A verdict repeats the checks that hold for all comparisons.
    """
    named: dict[str, int] = {}
    for canary in dict.fromkeys(canaries):
        named[canary.name] = named.get(canary.name, 0) + 1
        again = named[canary.name] > 1
        yield f"{canary.name} ({named[canary.name]})" if again else canary.name, canary


def _canary(comparison: ComparisonRecord, name: str, canary: Canary) -> ElementTree.Element:
    case = _case(comparison, "checks", name)
    if canary.status == "fail":
        _note(case, "error", f"{canary.name} failed", canary.detail)
    elif canary.status == "not_run":
        _note(case, "skipped", canary.detail or "not run", "")
    return case


def _case(comparison: ComparisonRecord, kind: str, name: str) -> ElementTree.Element:
    classname = _text(f"{comparison.key}.{kind}")
    return ElementTree.Element("testcase", classname=classname, name=_text(name))


def _note(case: ElementTree.Element, tag: str, message: str, text: str) -> None:
    note = ElementTree.SubElement(case, tag, message=_text(message))
    note.text = _text(text) or None


def _text(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", plain(text))
