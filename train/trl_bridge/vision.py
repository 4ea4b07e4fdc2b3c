"""The pixels of planned rows: put beside their tokens, and proved to be theirs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from evalsuite.models.load import load_image_processor
from evalsuite.models.pictures import BadPicture, open_picture
from train.rows import JoinedRows
from workspace.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

    from train.plan import Prepared
    from train.trl_bridge.planned import Given

ROW = "row"
"""Column of a row's place among the planned rows."""
DIGESTS = "pictures"
"""Column of the SHA-256 of its images: what trl keeps of rows is told apart by them."""
_PIXELS = "pixel_values"
_GRIDS = "image_grid_thw"
_TYPES = "mm_token_type_ids"


@dataclass(frozen=True)
class Pixels:
    """Makes what a vision tower reads of the images of planned rows."""

    rows: JoinedRows
    processor: Any
    token_id: int
    """Of the placeholder."""
    takes_types: bool
    """Whether the model is told which tokens are images, for its positions."""

    def of(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return what the image processor makes of the images of rows; nothing for rows of text.

        Raises:
            DataError: an image that cannot be read any more, or is another than was planned.
        """
        images = [image for row in rows for image in self._images(row)]
        return dict(self.processor(images=images, return_tensors="pt")) if images else {}

    def _images(self, row: int) -> list[Image]:
        one = self.rows[row]
        held = one.dataset.pictures
        if held is None or not one.pictures:
            return []
        try:
            return [open_picture(data) for data in held.of(one.position)]
        except BadPicture as error:
            raise DataError(
                "an image cannot be read",
                where=f"{one.row.place} (id {one.row_id[:12]})",
                cause=f"{error}.",
                cure="Mend the row and make the dataset again with `temper curate`.",
            ) from error

    def beside(self, batch: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
        """Return a micro-batch with the pixels of its rows, once for each of their sequences."""
        out = dict(batch)
        for name, values in self.of(rows).items():
            out[name] = torch.cat([values] * self.rows.per_row)
        if self.takes_types:
            out[_TYPES] = (out["input_ids"] == self.token_id).int()
        return out

    def are_in(self, batch: Any, rows: Sequence[int], checked: Sequence[int]) -> bool:
        """Whether the pixels of a micro-batch are those of its rows, bit for bit.

        Args:
            batch: the collated micro-batch.
            rows: the planned ones.
            checked: places in `rows` whose pixels are made anew and compared; of the others, the
                number is.
        """
        counts = [len(self.rows[row].pictures) for row in rows] * self.rows.per_row
        if not sum(counts):
            return _PIXELS not in batch
        if _PIXELS not in batch:
            return False
        sizes = _sizes(batch)
        if len(sizes) != sum(counts) or sum(sizes) != len(batch[_PIXELS]):
            return False
        for place in range(len(counts)):
            if place % len(rows) not in checked:
                continue
            first = sum(counts[:place])
            images = slice(first, first + counts[place])
            entries = slice(sum(sizes[:first]), sum(sizes[: first + counts[place]]))
            for name, wanted in self.of([rows[place % len(rows)]]).items():
                found = batch[name][entries if name == _PIXELS else images].cpu()
                if not torch.equal(found, wanted):
                    return False
        return True


def pixels_of(given: Given) -> Pixels | None:
    """Return what makes the pixels of a plan's rows; None where they have no images."""
    prepared = given.request.prepared
    if not has_pictures(prepared):
        return None
    config: Any = given.model.config
    return Pixels(
        rows=prepared.rows,
        processor=load_image_processor(Path(prepared.plan.model_path)),
        token_id=int(config.image_token_id),
        takes_types=_TYPES in inspect.signature(type(given.model).forward).parameters,
    )


def has_pictures(prepared: Prepared) -> bool:
    """Tell whether rows of a plan have images."""
    return any(part.dataset.pictures is not None for part in prepared.rows.parts)


def picture_columns(rows: JoinedRows) -> dict[str, pa.Array]:
    """Return the columns that tell rows and their images apart."""
    digests = [
        list(held.digests[position]) if (held := part.dataset.pictures) else []
        for part in rows.parts
        for position in part.positions.tolist()
    ]
    return {
        ROW: pa.array(range(len(rows)), pa.int64()),
        DIGESTS: pa.array(digests, pa.list_(pa.string())),
    }


def with_pixels(
    collate: Callable[[list[dict[str, Any]]], Any], pixels: Pixels | None
) -> Callable[[list[dict[str, Any]]], Any]:
    """Return what makes tensors of a micro-batch's items, pixels included.

    Args:
        collate: makes those of its tokens.
        pixels: None for rows of text.
    """
    if pixels is None:
        return collate

    def both(items: list[dict[str, Any]]) -> dict[str, Any]:
        tokens = [
            {name: value for name, value in item.items() if name not in (ROW, DIGESTS)}
            for item in items
        ]
        return pixels.beside(dict(collate(tokens)), [int(item[ROW]) for item in items])

    return both


def _sizes(batch: Any) -> list[int]:
    """Return how many entries of the pixels each image has: its patches, or one."""
    if _GRIDS in batch:
        return [int(one) for one in batch[_GRIDS].prod(-1)]
    return [1] * len(batch[_PIXELS])
