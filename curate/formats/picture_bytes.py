"""From what a row gives as an image to its bytes: embedded, encoded, or in a file nearby."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from curate.formats.raw import Misfit
from curate.formats.shape import describe
from curate.reasons import Reason
from curate.recipe import Images

_BASE64 = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk0", "SUkq", "TU0AK")
"""How base64 of PNG, JPEG, GIF, WebP, BMP and TIFF begins."""
_LEAST_BASE64 = 64


@dataclass(frozen=True)
class Gallery:
    """Where the images of a file's rows are."""

    folder: Path | None
    """What paths are relative to, and may not leave; None: rows come from a stream."""
    limits: Images

    def bytes_of(self, value: Any, where: str) -> tuple[bytes, str]:
        """Return the bytes of an image and what it is called.

        Args:
            value: bytes, a `data:` URL, base64, a path, or an object with one of them.
            where: the field, for a person.

        Raises:
            Misfit: a URL, a path that is refused or not there, or no image at all.
        """
        if isinstance(value, dict):
            return self._of_object(value, where)
        if isinstance(value, bytes):
            return value, ""
        if not isinstance(value, str) or not value.strip():
            raise Misfit(Reason.BAD_IMAGE, f"`{where}` is {describe(value)}, not an image")
        text = value.strip()
        if text[:5].lower() == "data:":
            return _of_data_url(text, where), ""
        if text.startswith(_BASE64) and len(text) >= _LEAST_BASE64:
            return _decoded(text, where), ""
        if "://" in text[:16]:
            return self._of_url(text, where)
        return self._read(text, where), PurePosixPath(text.replace("\\", "/")).name

    def _of_object(self, value: dict[str, Any], where: str) -> tuple[bytes, str]:
        for key in ("bytes", "image_url", "url", "base64", "data", "image", "path"):
            if value.get(key) is None:
                continue
            found, name = self.bytes_of(value[key], f"{where}.{key}")
            given = value.get("path")
            return found, PurePosixPath(given).name if isinstance(given, str) else name
        keys = ", ".join(map(str, value)) or "none"
        raise Misfit(Reason.BAD_IMAGE, f"`{where}` has no image under its keys: {keys}")

    def _of_url(self, text: str, where: str) -> tuple[bytes, str]:
        parts = urlsplit(text)
        if parts.scheme.lower() == "file":
            path = unquote_to_bytes(parts.path).decode(errors="replace")
            return self._read(path, where), PurePosixPath(path).name
        raise Misfit(
            Reason.IMAGE_URL,
            f"`{where}` is {text[:80]!r}; nothing is fetched: download it and give a path",
        )

    def _read(self, text: str, where: str) -> bytes:
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        if self.folder is None and self.limits.folder is None:
            raise Misfit(
                Reason.IMAGE_REFUSED, f"`{where}` is a path, and standard input has no folder"
            )
        try:
            folder = (self.folder or Path()).resolve()
            path = (folder / text).resolve()
            if not self.limits.outside and not path.is_relative_to(folder):
                raise Misfit(
                    Reason.IMAGE_REFUSED,
                    f"`{where}` is {shown!r}, which leaves {folder.name}/; "
                    "`images: {outside: true}` allows it",
                )
            if not path.is_file():
                raise Misfit(Reason.NO_IMAGE, f"`{where}` is {shown!r}, which is no file")
            if path.stat().st_size > self.limits.max_bytes:
                raise Misfit(
                    Reason.BAD_IMAGE,
                    f"an image of {path.stat().st_size:,} bytes; at most {self.limits.max_bytes:,}",
                )
            return path.read_bytes()
        except (OSError, ValueError) as error:  # too long a name, a null character, no right
            said = error.strerror if isinstance(error, OSError) else error
            raise Misfit(Reason.NO_IMAGE, f"`{where}` is {shown!r}: {said}") from None


def _of_data_url(text: str, where: str) -> bytes:
    head, comma, body = text.partition(",")
    if not comma:
        raise Misfit(Reason.BAD_IMAGE, f"`{where}` is a data URL without data")
    if head.lower().endswith(";base64"):
        return _decoded(body, where)
    return unquote_to_bytes(body)


def _decoded(text: str, where: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise Misfit(Reason.BAD_IMAGE, f"`{where}` is not base64") from None
