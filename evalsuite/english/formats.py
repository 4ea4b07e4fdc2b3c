"""Keeping a format: JSON, CSV, lists, key-value lines and exact templates of given records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from evalsuite.english.making import Made, MadeTask, distinct, in_turn
from evalsuite.english.records import KINDS, Kind, Record

_ONLY = "Write nothing else: no explanation and no code fence."
_JSON_ASKS = (
    "Write this as a JSON object with the keys {keys}. Numbers are numbers, without quotes.",
    "Turn the sentence into JSON. Use exactly these keys: {keys}. Numbers must not be quoted.",
    "Extract the values as one JSON object ({keys}); numbers stay numbers.",
    "Return a JSON object whose keys are {keys}, with numbers unquoted.",
)


def _json(kind: Kind, ask: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        record = kind.draw(rng)
        keys = rng.sample(list(record), len(record))
        asked = _JSON_ASKS[ask].format(keys=", ".join(f'"{key}"' for key in keys))
        prompt = f"{asked} {_ONLY}\n\n{kind.told(record)}"
        return Made({key: record[key] for key in keys}, f"{kind.name} as JSON {ask}", prompt)

    return draw


def _csv(records: Sequence[Record], keys: Sequence[str]) -> str:
    return "\n".join([",".join(keys), *(",".join(str(r[k]) for k in keys) for r in records)])


def _pipes(records: Sequence[Record], keys: Sequence[str]) -> str:
    return "\n".join(" | ".join(str(record[key]) for key in keys) for record in records)


def _bullets(records: Sequence[Record], keys: Sequence[str]) -> str:
    return "\n".join(f"- {', '.join(str(record[key]) for key in keys)}" for record in records)


def _pairs(records: Sequence[Record], keys: Sequence[str]) -> str:
    return "\n".join("; ".join(f"{key}={record[key]}" for key in keys) for record in records)


_TABLES: dict[str, tuple[Callable[[Sequence[Record], Sequence[str]], str], str]] = {
    "csv": (_csv, "Write these as CSV: a header line {header}, then one line for each, without "
            "quotes and without spaces after commas."),
    "pipes": (_pipes, "Write one line for each of these, with {keys} in this order, separated by "
              '" | " (a space, a bar, a space), without a header.'),
    "bullets": (_bullets, 'Write these as a list. Each line begins with "- ", followed by {keys} '
                "in this order, separated by a comma and a space."),
    "pairs": (_pairs, "Write one line for each of these, of the form {form}, separated by a "
              "semicolon and a space."),
}  # fmt: skip


def _table(kind: Kind, form: str) -> Callable[[Random], Made]:
    write, ask = _TABLES[form]

    def draw(rng: Random) -> Made:
        records = [kind.draw(rng) for _ in range(rng.randint(2, 3))]
        keys = rng.sample(list(records[0]), rng.randint(2, len(records[0])))
        asked = ask.format(
            header=",".join(keys), keys=", ".join(keys), form="; ".join(f"{k}=VALUE" for k in keys)
        )
        told = "\n".join(kind.told(record) for record in records)
        return Made(write(records, keys), f"{kind.name} as {form}", f"{asked} {_ONLY}\n\n{told}")

    return draw


_TEMPLATES = {
    "person": ("<{name}> ({age}) @ {city}", "PERSON: {name} / AGE: {age} / CITY: {city}",
               "[{city}] {name}, {age}"),
    "order": ("#{order}: {quantity} x {item} = {price} EUR each",
              "{item}*{quantity}@{price} [{order}]",
              "ORDER {order} -> {item} ({quantity} pcs, {price} EUR)"),
    "book": ("{author} ({year}). {title}. {pages} pp.", "{title} :: {author} :: {year}",
             "[{year}] {title} / {author} / {pages}"),
    "meeting": ("{room}@{hour}:00 {host} (+{guests})",
                "Room {room} | Hour {hour} | Host {host} | {guests}",
                "{host} -> {room} -> {hour}h -> {guests} guests"),
    "recipe": ("{dish} ({minutes} min, {serves}) by {cook}",
               "COOK={cook};DISH={dish};MIN={minutes}",
               "{serves} plates of {dish}: {minutes} min [{cook}]"),
    "weather": ("{city}: {sky}, {degrees} C", "{degrees}C/{sky}/{city}",
                "<<{city}>> {sky} {degrees}"),
}  # fmt: skip
_TEMPLATE_ASKS = (
    "Fill in this template with the values of the sentence and write the filled line exactly:",
    "Write the sentence's values in exactly this form, every sign and space kept:",
)


def _template(kind: Kind, place: int, ask: int) -> Callable[[Random], Made]:
    def draw(rng: Random) -> Made:
        record = kind.draw(rng)
        template = _TEMPLATES[kind.name][place]
        prompt = f"{_TEMPLATE_ASKS[ask]}\n{template}\n{_ONLY}\n\n{kind.told(record)}"
        return Made(template.format(**record), f"{kind.name} in template {place}.{ask}", prompt)

    return draw


def tasks(items: int) -> list[MadeTask]:
    """Return the tasks of this ability, a third each: JSON, lines, templates."""
    third = items // 3
    json_draws = [_json(kind, ask) for kind in KINDS for ask in range(len(_JSON_ASKS))]
    table_draws = [_table(kind, form) for kind in KINDS for form in _TABLES]
    template_draws = [_template(kind, p, a) for kind in KINDS for p in range(3) for a in range(2)]
    return [
        MadeTask("json", "formats", {"kind": "json"},
                 distinct(in_turn(json_draws), "json", third), 128),
        MadeTask("lines", "formats", {"kind": "exact"},
                 distinct(in_turn(table_draws), "lines", third), 160),
        MadeTask("templates", "formats", {"kind": "exact"},
                 distinct(in_turn(template_draws), "templates", items - 2 * third), 64),
    ]  # fmt: skip
