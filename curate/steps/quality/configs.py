"""What the quality steps can be told in the recipe."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_serializer, model_validator

from workspace.recipe import Section

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Amount = Annotated[int, Field(ge=0)]
Of = Literal["answer", "prompt", "row"]


class Repair(Section):
    """Repair encoding damage. Code in backticks, digits and operators stay as they are."""

    encoding: bool = True
    """Undo mojibake: `donâ€™t` is `don’t` again."""
    controls: bool = True
    """Take out control, zero-width and direction-changing characters and terminal escapes; tabs,
    line breaks, emoji joiners and the word marks of Thai, Lao, Burmese and Khmer stay."""
    nfc: bool = True
    """Write each character in one way (Unicode NFC): `e` and an accent become `é`."""


PersonalKind = Literal["email", "phone", "card", "iban", "ip", "key"]
PERSONAL_KINDS: tuple[PersonalKind, ...] = ("key", "email", "iban", "card", "ip", "phone")


OURS = {
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
}
"""What Presidio calls the kinds that validated patterns find."""
Entity = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$", max_length=60)]


class Presidio(Section):
    """Find names, places and more with Presidio and a spaCy model (extra `pii`).

    It reads what is said: turns, speakers' names, arguments of tool calls, texts and the row's own
    id; not definitions of tools and not labels. The validated patterns come first.
    """

    model: Annotated[str, Field(min_length=1)]
    """A spaCy pipeline: a folder, relative to the recipe, or the name of an installed package such
    as `en_core_web_sm`. Nothing is downloaded."""
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")] = "en"
    """ISO 639-1 code of the texts; the model's own."""
    entities: Annotated[tuple[Entity, ...], Field(min_length=1)] = (
        "PERSON",
        "LOCATION",
        "ORGANIZATION",
    )
    """What to look for, by Presidio's names: also NRP (nationality, religion, politics),
    DATE_TIME, URL, US_SSN, UK_NHS, MEDICAL_LICENSE … One that neither the model nor a recogniser
    of Presidio finds is an error that lists those which are found."""
    score: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6
    """Least score of a find. What a spaCy model finds has 0.85; a number that its check digit
    proves 1; one with only its form 0.01 to 0.5, more where a word such as "passport" is near."""

    @field_validator("entities")
    @classmethod
    def _beyond_the_patterns(cls, entities: tuple[str, ...]) -> tuple[str, ...]:
        for entity in entities:
            if entity in OURS:
                raise ValueError(f"{entity} is found by `kinds: [{OURS[entity]}]`")
        return tuple(dict.fromkeys(entities))


class Redact(Section):
    """Find personal data and keys by validated patterns, and replace them or drop the row.

    With this step in a recipe, the rows that any step drops are masked too before they are written
    to `dropped.parquet` or shown.
    """

    kinds: tuple[PersonalKind, ...] = PERSONAL_KINDS
    """email; phone (international, or in a form of the USA, the UK or France); card (Luhn, issuer
    and length); iban (country, length, mod 97); ip (public addresses); key (of known services,
    private keys, passwords in URLs, long random values assigned to a secret's name). None (`[]`)
    only with `presidio`."""
    presidio: Presidio | None = None
    """Names, places, organisations and more, beside the patterns."""
    action: Literal["redact", "drop"] = "redact"
    """`redact` puts `<EMAIL_1>` and so on in its place, the same for the same value within a row;
    `drop` drops the row."""
    map: str | None = None
    """A JSONL file for what each placeholder stood for, relative to the recipe, readable by you
    alone (mode 0600) and outside `datasets/`. Left out, the values are kept nowhere."""

    @model_validator(mode="after")
    def _something_to_find(self) -> Self:
        if not self.kinds and self.presidio is None:
            raise ValueError("at least one of `kinds`, or `presidio`")
        return self

    @model_validator(mode="after")
    def _map_needs_placeholders(self) -> Self:
        if self.map is not None and self.action == "drop":
            raise ValueError("a map is of placeholders: `action: drop` makes none")
        return self


class Length(Section):
    """Rows that are too short or too long."""

    of: Of = "answer"
    """What characters and words are counted in."""
    min_characters: Amount | None = None
    max_characters: Amount | None = None
    min_words: Amount | None = None
    """Words are what white space divides."""
    max_words: Amount | None = None
    min_tokens: Amount | None = None
    """Tokens are of the whole row after the chat template, by the tokenizer of the recipe's
    `model`."""
    max_tokens: Amount | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        given = self.model_dump(exclude={"of"}, exclude_none=True)
        if not given:
            raise ValueError("at least one bound, such as max_words")
        for unit in ("characters", "words", "tokens"):
            low, high = given.get(f"min_{unit}"), given.get(f"max_{unit}")
            if low is not None and high is not None and low > high:
                raise ValueError(f"min_{unit} ({low}) not above max_{unit} ({high})")
        return self


class Language(Section):
    """Rows in another language."""

    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    """ISO 639-1 codes."""
    of: Of = "answer"
    min_score: Share = 0.7
    """A row goes only if another language is at least this likely. Code, links and numbers do not
    count."""
    min_letters: Amount = 40
    """Shorter texts are kept: no detector can tell."""


class Repetition(Section):
    """Answers that go round in circles: the measures of Gopher (Rae et al. 2021, table A1), by
    words, outside code; lines with a letter or digit are counted, from six on.

    Gopher's own limits, which `preset: web` has, are for web pages; one in seven good worked
    solutions breaks them. These are looser.
    """

    min_words: Amount = 50
    """Shorter answers are kept."""
    max_duplicate_lines: Share = 0.6
    """Largest share of lines that occurred before; Gopher: 0.3."""
    max_duplicate_line_characters: Share = 0.6
    """Largest share of characters in such lines; Gopher: 0.2."""
    max_top_2gram: Share = 0.4
    """Largest share of words in the commonest pair of words; Gopher: 0.2."""
    max_top_3gram: Share = 0.4
    """Gopher: 0.18."""
    max_top_4gram: Share = 0.4
    """Gopher: 0.16."""
    max_duplicate_5gram: Share = 0.65
    """Largest share of words in runs of 5 that occurred before; Gopher: 0.15. For runs of 6 to 10
    it is one hundredth less for each."""


class Placeholders(Section):
    """Placeholders that nobody filled: `{{name}}`, `[NAME]`, `<insert …>`.

    An answer whose prompt asks for a template, or has the placeholder itself, is left alone.
    """


class Refusals(Section):
    """Answers that refuse, and the boilerplate of some other assistant about itself."""

    kinds: Annotated[tuple[Literal["refusal", "identity"], ...], Field(min_length=1)] = (
        "refusal",
        "identity",
    )
    """`refusal`: the answer begins by declining. `identity`: "As an AI language model"."""


class Unseen(Section):
    """Prompts about a page, image or file that the model cannot see."""

    kinds: Annotated[tuple[Literal["url", "image"], ...], Field(min_length=1)] = ("url", "image")
    """`url`: a link is what is asked about. `image`: an image in the text, or "the picture
    above"."""


class Truncated(Section):
    """Answers that end in the middle: of a sentence, a code block or a bracket."""

    min_words: Amount = 20
    """A missing full stop counts only in answers at least this long; open code blocks always."""


class Arithmetic(Section):
    """Worked solutions with a false equation of numbers: `12*3=35`, `<<12*3=35>>`."""

    tolerance: Annotated[float, Field(ge=0.0, le=0.1)] = 0.01
    """Largest relative error that counts as rounding. A result may also be rounded or cut at its
    last digit."""


class Heuristics(Section):
    """Text that is not prose, outside code: the measures of Gopher (Rae et al. 2021) and FineWeb.

    Their own limits, which `preset: web` has, are for web pages: worked solutions and lists break
    them. These catch what is hardly words at all.
    """

    of: Of = "answer"
    min_words: Amount = 50
    """Shorter texts are kept. Scripts that write no spaces are left alone."""
    min_mean_word: Annotated[float, Field(ge=0)] = 2.0
    """Least mean length of a word, in characters; Gopher: 3."""
    max_mean_word: Annotated[float, Field(gt=0)] = 20.0
    """Gopher: 10."""
    max_symbols: Share = 0.3
    """Most `#` and `…` for each word; Gopher: 0.1."""
    min_alphabetic: Share = 0.25
    """Least share of words with a letter in them; Gopher: 0.8."""
    max_bullet_lines: Share = 1.0
    """Largest share of lines that begin with a bullet; Gopher: 0.9."""
    max_ellipsis_lines: Share = 0.5
    """Largest share of lines that end with an ellipsis; Gopher: 0.3."""
    min_stop_words: Amount = 0
    """Gopher asks for 2 of the, be, to, of, and, that, have, with; they are English."""
    min_punctuated_lines: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Least share of lines that end a sentence; FineWeb asks for 0.12 of web pages."""
    max_newlines: Share | None = None
    """Most line breaks for each word; FineWeb asks for at most 0.3."""


class Pattern(Section):
    """A regular expression of your own."""

    name: str
    """Says in the ledger's details which pattern it was; the text found is never shown."""
    regex: str
    """In the syntax of Rust's regex: linear time on any text, so no look-around or
    back-references."""
    of: Of = "row"
    drop_if: Literal["found", "missing"] = "found"


RULES = (
    "length",
    "language",
    "repetition",
    "placeholders",
    "refusals",
    "unseen",
    "truncated",
    "arithmetic",
    "heuristics",
    "patterns",
)
PRESETS: dict[str, dict[str, Any]] = {
    "chat": {
        "repetition": {},
        "placeholders": {},
        "refusals": {},
        "unseen": {},
        "truncated": {},
    },
    "solutions": {"repetition": {}, "truncated": {}, "arithmetic": {}},
    "web": {
        "repetition": {
            "max_duplicate_lines": 0.3,
            "max_duplicate_line_characters": 0.2,
            "max_top_2gram": 0.2,
            "max_top_3gram": 0.18,
            "max_top_4gram": 0.16,
            "max_duplicate_5gram": 0.15,
        },
        "heuristics": {
            "min_mean_word": 3.0,
            "max_mean_word": 10.0,
            "max_symbols": 0.1,
            "max_bullet_lines": 0.9,
            "max_ellipsis_lines": 0.3,
            "min_alphabetic": 0.8,
            "min_stop_words": 2,
            "min_punctuated_lines": 0.12,
            "max_newlines": 0.3,
        },
    },
}


def _rule(value: object) -> object:
    """A rule named alone or as `true` has its defaults; `false` is off."""
    if value is True or value is None:
        return {}
    return None if value is False else value


Named = BeforeValidator(_rule)


class Filter(Section):
    """Drop rows by named rules. A rule is off unless it is named, here or by the preset."""

    preset: Literal["chat", "solutions", "web"] | None = None
    """`chat`: repetition, placeholders, refusals, unseen, truncated. `solutions`: repetition,
    truncated, arithmetic. `web`: repetition and heuristics with
    the limits of Gopher and FineWeb. A rule that is named
    beside it has its own settings instead; `false` turns it off."""
    length: Annotated[Length | None, Named] = None
    language: Annotated[Language | None, Named] = None
    repetition: Annotated[Repetition | None, Named] = None
    placeholders: Annotated[Placeholders | None, Named] = None
    refusals: Annotated[Refusals | None, Named] = None
    unseen: Annotated[Unseen | None, Named] = None
    truncated: Annotated[Truncated | None, Named] = None
    arithmetic: Annotated[Arithmetic | None, Named] = None
    heuristics: Annotated[Heuristics | None, Named] = None
    patterns: tuple[Pattern, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, value: Any) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("preset"), str):
            return value
        return {**PRESETS.get(value["preset"], {}), **value}

    @model_validator(mode="after")
    def _some_rule(self) -> Self:
        if not self.rules():
            raise ValueError(f"a preset ({', '.join(PRESETS)}) or a rule: {', '.join(RULES)}")
        return self

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        """A rule that is off is written as `false` beside a preset, and not at all without one."""
        out: dict[str, Any] = {"preset": self.preset} if self.preset else {}
        for name in RULES:
            value = getattr(self, name)
            if name == "patterns":
                value = [pattern.model_dump(mode="json") for pattern in self.patterns] or None
            elif value is not None:
                value = value.model_dump(mode="json", exclude_none=True)
            elif self.preset and name in PRESETS[self.preset]:
                value = False
            if value is not None:
                out[name] = value
        return out

    def rules(self) -> dict[str, Any]:
        """Return name → settings of the rules that are on, in their order."""
        return {name: value for name in RULES if (value := getattr(self, name))}
