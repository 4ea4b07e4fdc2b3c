"""Rows with images: each image becomes a mark in the text of the turn where it stands.

A mark holds the digest of the image's pixels. So the same text with another image is another text
to every step, and the formats see nothing but text. `curate.images_out` turns marks into TRL's
content parts when the rows are published.

Images stand where the row says: `{"type": "image"}`, `{"type": "image_url"}` and alike in lists of
content parts; `<image>` in a user's or system text (LLaVA, LLaMA-Factory); or, where it says
nothing, before the first text of the user, as in TRL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from curate.formats.conversation import TURN_KEYS
from curate.formats.picture import Picture, PictureStore, marks_in
from curate.formats.picture_bytes import Gallery
from curate.formats.raw import Misfit
from curate.formats.shape import Row, describe
from curate.reasons import Reason

IMAGE_KEYS = ("images", "image")
_PART_TYPES = frozenset({"image", "image_url", "input_image"})
_PLAIN_KEYS = ("prompt", "instruction", "question", "query", "problem")
_SIDES = ("chosen", "rejected")
_TURN_FIELDS = (*TURN_KEYS, "prompt", "completion", *_SIDES)
_WITH_TURNS = frozenset(_TURN_FIELDS)
_NONE: tuple[Any, ...] = (None, "", [])
_TAG = "<image>"
_ASKING = frozenset({"user", "human", "prompter", "system", "developer"})
MOST_IMAGES = 256
"""Of one row."""


def has_pictures(value: Mapping[str, Any]) -> bool:
    """Return whether a record has images, or places for them."""
    for key, held in value.items():
        if key in IMAGE_KEYS:
            if held not in _NONE:
                return True
        elif type(held) is list and key in _WITH_TURNS and any(map(_has_part, held)):
            return True
    return False


def image_key(value: Mapping[str, Any]) -> str:
    """Return the column that the images of a record are taken from; empty where it has none."""
    return next((key for key in IMAGE_KEYS if value.get(key) not in _NONE), "")


def _has_part(turn: object) -> bool:
    if type(turn) is not dict:
        return False
    content = turn.get("content", turn.get("value"))
    return type(content) is list and any(
        type(part) is dict and part.get("type") in _PART_TYPES for part in content
    )


def with_marks(
    value: Mapping[str, Any], gallery: Gallery, store: PictureStore
) -> tuple[dict[str, Any], list[Picture]]:
    """Return the record with marks for its images, and the images in the order of the marks.

    Args:
        value: a record for which `has_pictures`.
        gallery: where its images are.
        store: where their bytes go.

    Raises:
        Misfit: an image that cannot be used, or other numbers of images and places.
    """
    given = [
        store.add(*gallery.bytes_of(one, where), gallery.limits) for one, where in _given(value)
    ]
    made = {key: item for key, item in value.items() if key not in IMAGE_KEYS}
    filler = _Filler(given, gallery, store)
    apart = all(type(value.get(side)) is list for side in _SIDES) and not value.get("prompt")
    for key in _TURN_FIELDS:
        if type(made.get(key)) is list:
            if apart and key == "rejected":
                filler.again()  # both sides show the whole conversation, images included
            made[key] = [filler.turn(turn, f"{key}[{at}]") for at, turn in enumerate(made[key])]
    if given and not filler.used:
        _place_tags(made, filler, apart)
    filler.check()
    return made, filler.pictures


def check_places(row: Row, pictures: list[Picture]) -> None:
    """Check that a row has its images where it asks, in their order, and none in its answers.

    Raises:
        Misfit: it has not.
    """
    asked = row.messages if row.messages is not None else row.prompt or []
    turns = [turn for turn in asked if turn["role"] != "tool"]
    found = marks_in([turn["content"] for turn in turns])
    if found == [picture.digest for picture in pictures]:
        return
    kind = "plain text" if row.kind == "text" else "this format"
    raise Misfit(
        Reason.IMAGE_COUNT,
        f"{_counted(len(pictures))}, of which {kind} has places for {len(found)} in what is asked",
    )


def _given(value: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """Yield what the row's image columns hold."""
    key = image_key(value)
    held = value[key] if key else []
    items = held if isinstance(held, list) else [held]
    if len(items) > MOST_IMAGES:
        raise Misfit(Reason.IMAGE_COUNT, f"{len(items):,} images; at most {MOST_IMAGES}")
    for place, item in enumerate(items):
        yield item, f"{key}[{place}]" if isinstance(held, list) else key


class _Filler:
    """Puts marks where a record's content parts and tags say that images are."""

    def __init__(self, given: list[Picture], gallery: Gallery, store: PictureStore) -> None:
        self.given = given
        self.gallery = gallery
        self.store = store
        self.pictures: list[Picture] = []
        """In the order of the marks."""
        self.used = 0
        """How many of the given ones have a place."""
        self.places = 0
        """Places that have no image of their own."""
        self._first: list[Picture] | None = None

    def again(self) -> None:
        """Begin with the first image once more; what has a place is not counted twice."""
        self._first, self.pictures, self.used, self.places = self.pictures, [], 0, 0

    def turn(self, turn: Any, where: str) -> Any:
        """Return a turn whose content parts are joined to text with marks."""
        if not _has_part(turn):
            return turn
        key = "content" if "content" in turn else "value"
        parts = [self._part(part, f"{where}.{key}[{at}]") for at, part in enumerate(turn[key])]
        return {**turn, key: "".join(parts)}

    def _part(self, part: Any, where: str) -> str:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind in _PART_TYPES:
            picture = self._own(part, where) or self.next()
            if picture is None:
                return ""
            self.pictures.append(picture)
            return picture.mark
        if kind in ("text", "input_text", None) and isinstance(part, dict):
            text = part.get("text")
            if isinstance(text, str):
                return text
        shown = f"of type {kind!r}" if kind else describe(part)
        raise Misfit(Reason.NOT_TEXT, f"`{where}` is a content part {shown}, not text or image")

    def _own(self, part: dict[str, Any], where: str) -> Picture | None:
        """Return the image that a part itself holds."""
        for key in ("image_url", "image", "url", "path", "base64", "bytes"):
            if part.get(key) is not None:
                found = self.gallery.bytes_of(part[key], f"{where}.{key}")
                return self.store.add(*found, self.gallery.limits)
        return None

    def next(self) -> Picture | None:
        """Return the next image of the row's column; None where there are no more."""
        self.places += 1
        if self.used >= len(self.given):
            return None
        self.used += 1
        return self.given[self.used - 1]

    def tag(self, text: str) -> str:
        """Return a text with a mark for each `<image>`."""
        first, *rest = text.split(_TAG)
        parts = [first]
        for part in rest:
            picture = self.next()
            if picture is not None:
                self.pictures.append(picture)
            parts += [picture.mark if picture else "", part]
        return "".join(parts)

    def check(self) -> None:
        """Check that all images have a place and all places an image.

        Raises:
            Misfit: they have not.
        """
        if self.places != len(self.given):
            raise Misfit(
                Reason.IMAGE_COUNT,
                f"{_counted(len(self.given))} for {_counted(self.places, 'place')}",
            )
        if self._first is not None and self._first != self.pictures:
            raise Misfit(Reason.IMAGE_COUNT, "`chosen` and `rejected` begin with different images")


def _counted(number: int, what: str = "image") -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _place_tags(made: dict[str, Any], filler: _Filler, apart: bool) -> None:
    """Put the images where `<image>` says, or before the first text of the user."""
    texts = [key for key in (*TURN_KEYS, *_PLAIN_KEYS) if made.get(key)]
    fields = [*texts, *(_SIDES if apart else ())]
    tagged = any(_TAG in text for key in fields for text in _asked(made[key]))
    for key in fields:
        if key == "rejected" and apart:
            filler.again()
        if tagged:
            made[key] = _mapped(made[key], filler.tag)
        elif key in _SIDES or not filler.used:
            made[key] = _mapped(made[key], lambda text: _before(text, filler), once=True)


def _before(text: str, filler: _Filler) -> str:
    pictures = [picture for picture in (filler.next() for _ in filler.given) if picture]
    filler.pictures += pictures
    return "".join(picture.mark for picture in pictures) + text


def _asked(value: Any) -> list[str]:
    """Return the texts of a field in which images can stand."""
    if isinstance(value, str):
        return [value]
    turns = value if isinstance(value, list) else []
    return [text for turn in turns if (text := _asking_text(turn)) is not None]


def _asking_text(turn: Any) -> str | None:
    if not isinstance(turn, dict) or _role(turn) not in _ASKING:
        return None
    text = turn.get("content", turn.get("value"))
    return text if isinstance(text, str) else None


def _role(turn: dict[str, Any]) -> str:
    return str(turn.get("role", turn.get("from"))).lower()


def _mapped(value: Any, change: Callable[[str], str], *, once: bool = False) -> Any:
    """Return a field with its texts changed; `once`: only the user's first."""
    if isinstance(value, str):
        return change(value)
    if not isinstance(value, list):
        return value
    made, done = [], False
    for turn in value:
        text = _asking_text(turn)
        system = isinstance(turn, dict) and _role(turn) in ("system", "developer")
        if text is None or (once and (done or system)):
            made.append(turn)
            continue
        done = True
        made.append({**turn, "content" if "content" in turn else "value": change(text)})
    return made
