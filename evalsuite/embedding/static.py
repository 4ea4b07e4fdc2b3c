"""Static embeddings by model2vec: the mean of one vector a token; thousands of texts a second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from evalsuite.embedding.embedder import Floats, unit_length
from evalsuite.embedding.folder import damaged

if TYPE_CHECKING:
    from model2vec import StaticModel


@dataclass(frozen=True)
class StaticEmbedder:
    """A model2vec folder. All of a text is read, however long, since there is no position."""

    name: str
    digest: str
    model: StaticModel
    semantic: bool = True
    max_tokens: int | None = None

    @classmethod
    def load(cls, folder: Path, name: str, digest: str) -> StaticEmbedder:
        """Load the folder.

        Raises:
            ImportError: model2vec is not installed.
            ModelError: the files do not fit together.
        """
        from model2vec import StaticModel

        try:
            model = StaticModel.from_pretrained(folder, force_download=False)
        except Exception as error:  # tokenizers and safetensors raise bare Exception
            raise damaged(folder, error) from error
        return cls(name, digest, model)

    @property
    def dimensions(self) -> int:
        """Length of a vector as an array."""
        return self.model.dim

    def encode(self, texts: Sequence[str]) -> Floats:
        """Return one vector for each text, shape (texts, dimensions); see `Embedder`."""
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        return unit_length(
            self.model.encode(
                list(texts), max_length=None, normalize=False, use_multiprocessing=False
            )
        )
