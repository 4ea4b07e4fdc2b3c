"""`temper curate repair | filter | redact`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from curate.cli_request import Request, on_rows
from workspace.errors import UsageError


def add_to(app: typer.Typer) -> None:
    """Add the steps to `temper curate`."""
    app.command("repair")(repair)
    app.command("filter")(filter_rows)
    app.command("redact")(redact)


@on_rows()
def repair(
    request: Request,
    encoding: Annotated[bool, typer.Option(help="Undo mojibake.")] = True,
    controls: Annotated[
        bool, typer.Option(help="Take out control, zero-width and bidi characters.")
    ] = True,
    nfc: Annotated[bool, typer.Option(help="Write each character in one way.")] = True,
) -> None:
    """Repair encoding damage; code in backticks, digits and operators stay as they are."""
    step = {"repair": {"encoding": encoding, "controls": controls, "nfc": nfc}}
    request.make(steps=[step])


@on_rows("circuit_breaker")
def filter_rows(
    request: Request,
    preset: Annotated[
        str | None, typer.Option(help="A set of rules: chat, solutions or web.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE[.KEY=VALUE]",
            help="length, language, repetition, placeholders, refusals, unseen, truncated, "
            "arithmetic, heuristics; a list has commas; =off turns a preset's rule off. "
            "Repeatable.",
        ),
    ] = None,
    pattern: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=REGEX", help="Drop rows in which this is found. Repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="builtin, or a model directory: its tokenizer counts length.*_tokens."),
    ] = None,
) -> None:
    """Drop rows by named rules: none is on unless it is named."""
    step: dict[str, Any] = {"preset": preset} if preset else {}
    step |= _rules(rule or [])
    if pattern:
        step["patterns"] = [_pattern(one) for one in pattern]
    request.make(steps=[{"filter": step}], model=model)


@on_rows("circuit_breaker")
def redact(
    request: Request,
    kinds: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…", help="email, phone, card, iban, ip, key, or none; left out: all."
        ),
    ] = None,
    action: Annotated[str, typer.Option(help="redact, or drop the row.")] = "redact",
    map_file: Annotated[
        str | None,
        typer.Option("--map", help="A private file for what each placeholder stood for."),
    ] = None,
    presidio: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Find names and places too, by Presidio and this spaCy folder or package "
            "(extra pii; slow: some hundred rows a second).",
        ),
    ] = None,
    entities: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="For --presidio: PERSON, LOCATION, ORGANIZATION …"),
    ] = None,
    language: Annotated[str | None, typer.Option(help="For --presidio, such as en.")] = None,
    score: Annotated[float | None, typer.Option(help="For --presidio: the least score.")] = None,
) -> None:
    """Replace e-mail addresses, phone numbers, cards, IBANs, IPs and keys by placeholders."""
    from curate.private import refuse_within

    step: dict[str, Any] = {"action": action, "map": map_file}
    if kinds is not None:
        step["kinds"] = [] if kinds == "none" else _listed(kinds)
    named = {"entities": _listed(entities) if entities else None, "language": language}
    told = {name: value for name, value in {**named, "score": score}.items() if value is not None}
    if told and presidio is None:
        raise UsageError(
            "this is for --presidio MODEL", where=", ".join(f"--{name}" for name in told)
        )
    if presidio is not None:
        step["presidio"] = {"model": presidio, **told}
    if map_file is not None:
        refuse_within(Path(map_file), Path(request.out))
    request.make(steps=[{"redact": step}])


def _rules(named: list[str]) -> dict[str, Any]:
    """Read `truncated`, `truncated=off`, `length.max_words=500`, `language.keep=en,de`."""
    out: dict[str, Any] = {}
    for text in named:
        key, equals, value = text.partition("=")
        rule, dot, setting = key.partition(".")
        if not dot:
            if equals and value not in ("on", "off"):
                raise UsageError(
                    "a rule is on or off", where=f"--rule {text}", cure=f"{rule}=off, or {rule}"
                )
            if value == "off":
                out[rule] = False
            else:
                out.setdefault(rule, {})
            continue
        settings = out.setdefault(rule, {})
        if settings is False or not equals:
            raise UsageError(
                "a setting needs a value, and its rule on",
                where=f"--rule {text}",
                cure="Write it as RULE.KEY=VALUE.",
            )
        settings[setting] = _listed(value) if setting in ("keep", "kinds") else value
    return out


def _pattern(text: str) -> dict[str, str]:
    name, equals, regex = text.partition("=")
    if not equals:
        raise UsageError("a pattern has a name", where="--pattern", cure="Write NAME=REGEX.")
    return {"name": name, "regex": regex}


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
