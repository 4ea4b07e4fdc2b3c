"""One image: checked by Pillow, hashed by its bytes and by its decoded pixels, and kept once."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curate.formats.raw import Misfit
from curate.reasons import Reason
from curate.recipe import Images
from curate.texts import IMAGE_EDGE, IMAGE_MARK
from workspace.image_formats import FORMATS

_DIGEST_BYTES = 12


@dataclass(frozen=True)
class Picture:
    """An image that was checked."""

    digest: str
    """Of the decoded pixels: equal for an image saved twice without loss."""
    sha256: str
    """Of the bytes."""
    name: str
    """What the row calls it: the last part of a path; empty where there is none."""
    offset: int = 0
    """Where its bytes are in the store."""
    size: int = 0
    """How many bytes."""

    @property
    def mark(self) -> str:
        """What stands for it in the text, so that other images make other texts."""
        return f"{IMAGE_EDGE}{self.digest}{IMAGE_EDGE}"


class PictureStore:
    """Bytes of images in one file, each image once."""

    def __init__(self, path: Path | None) -> None:
        """Keep the bytes in a file; None: look at images, and keep nothing."""
        self.path = path
        self._places: dict[bytes, tuple[str, int]] = {}
        self._end = 0

    def add(self, data: bytes, name: str, limits: Images) -> Picture:
        """Check an image and keep its bytes.

        Raises:
            Misfit: it is no image, damaged, or larger than the limits.
        """
        key = hashlib.sha256(data).digest()
        if key not in self._places:
            digest = checked(data, limits)
            self._places[key] = (digest, self._append(data))
        digest, offset = self._places[key]
        return Picture(digest, key.hex(), name, offset, len(data))

    def _append(self, data: bytes) -> int:
        offset = self._end
        if self.path is not None:
            with self.path.open("ab") as stream:
                stream.write(data)
            self._end += len(data)
        return offset


def checked(data: bytes, limits: Images) -> str:
    """Return the digest of an image's pixels.

    Raises:
        Misfit: it is no image, damaged, or larger than the limits.
    """
    from PIL import Image, UnidentifiedImageError

    if len(data) > limits.max_bytes:
        raise Misfit(
            Reason.BAD_IMAGE, f"an image of {len(data):,} bytes; at most {limits.max_bytes:,}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_size(image, limits)
                image.verify()
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                image.load()
                return _pixel_digest(image)
    except (Misfit, MemoryError):
        raise
    except UnidentifiedImageError:
        began = f"begins with {data[:8]!r}" if data else "has no bytes"
        raise Misfit(Reason.BAD_IMAGE, f"no image of {', '.join(FORMATS)}: it {began}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise _too_large("more pixels than Pillow opens", limits) from None
    except Exception as error:  # decoders raise what they like on damaged data
        said = f"{type(error).__name__}: {error}"[:200]
        raise Misfit(Reason.BAD_IMAGE, f"a damaged image: {said}") from None


def _check_size(image: Any, limits: Images) -> None:
    if image.width * image.height > limits.max_pixels:
        raise _too_large(f"{image.width:,} × {image.height:,} pixels", limits)


def _too_large(found: str, limits: Images) -> Misfit:
    return Misfit(Reason.BAD_IMAGE, f"an image of {found}; at most {limits.max_pixels:,}")


def _pixel_digest(image: Any) -> str:
    """Hash size and colours of the first frame, in whichever of Pillow's modes they were saved."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        clear = "A" in image.getbands() or "transparency" in image.info
        image = image.convert("RGBA" if clear else "RGB")
    total = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    total.update(f"{image.mode} {image.width} {image.height}\n".encode())
    total.update(image.tobytes())
    return total.hexdigest()


def marks_in(texts: Sequence[str]) -> list[str]:
    """Return the digests of the images that stand in texts, in their order."""
    some = (text for text in texts if IMAGE_EDGE in text)
    return [digest for text in some for digest in re.findall(IMAGE_MARK, text)]
