"""Images of rows: opened in one way everywhere, upright and in RGB. No torch.

As `datasets` and transformers open them: a photo's own note of how it was held is followed, so
that width and height are those of what is seen.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from typing import TYPE_CHECKING, Any

from workspace.image_formats import FORMATS

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
"""Width and height in pixels, upright."""

_ORIENTATION = 0x0112
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""EXIF's orientation → what puts the image upright, as Pillow calls it."""
_SIDEWAYS = frozenset({5, 6, 7, 8})
"""Orientations that exchange width and height."""
_DEEP = ("I", "F")
"""Beginnings of the modes with more than 8 bits a channel: in RGB their values are cut to white."""
_SMALL = (64, 64)


class BadPicture(ValueError):
    """Bytes that are no image; says what they are."""


def check_picture(data: bytes) -> Size:
    """Decode an image from its first byte to its last and return its size.

    A JPEG is decoded at an eighth of its size, which reads all of its bytes in a fraction of the
    time.

    Raises:
        BadPicture: it is none, cut short, or has more than 8 bits a channel.
    """
    opened = _opened(data)
    if opened.mode.startswith(_DEEP):
        raise BadPicture(f"more than 8 bits a channel (mode {opened.mode}): convert it to 8")
    try:
        size = _upright(opened)  # of a PNG, it decodes the whole
    except Exception as error:
        raise BadPicture(_said(error, data)) from error
    opened.draft(None, _SMALL)
    _decoded(opened, data)
    return size


def open_picture(data: bytes) -> Image:
    """Return an image upright and in RGB.

    Raises:
        BadPicture: it is none, or cut short.
    """
    from PIL.Image import Transpose

    opened: Any = _decoded(_opened(data), data)
    try:  # not ImageOps, which writes the whole EXIF anew: a photo's may be damaged
        turn = _TURNS.get(opened.getexif().get(_ORIENTATION))
        upright = opened if turn is None else opened.transpose(Transpose[turn])
        image: Image = upright.convert("RGB")
    except Exception as error:
        raise BadPicture(_said(error, data)) from error
    return image


def picture_digest(data: bytes) -> str:
    """Return the SHA-256 of an image's bytes."""
    return hashlib.sha256(data).hexdigest()


def _opened(data: bytes) -> Image:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of notes in a photo that nobody reads
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:  # a damaged header makes the library raise what it will
        raise BadPicture(_said(error, data)) from error


def _decoded(opened: Image, data: bytes) -> Image:
    try:
        opened.load()
    except Exception as error:
        raise BadPicture(_said(error, data)) from error
    return opened


def _upright(opened: Image) -> Size:
    width, height = opened.size
    return (height, width) if opened.getexif().get(_ORIENTATION) in _SIDEWAYS else (width, height)


def _said(error: Exception, data: bytes) -> str:
    if not data:
        return "no bytes"
    if type(error).__name__ == "UnidentifiedImageError":
        return f"{len(data):,} bytes that begin {data[:8]!r}, which is no known image format"
    return f"{str(error).rstrip('.') or type(error).__name__} ({len(data):,} bytes)"
