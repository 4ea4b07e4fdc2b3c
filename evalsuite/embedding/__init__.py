"""Texts as vectors: by an embedding model in a folder, or lexically, by their words alone.

`open_embedder` reads a model2vec or sentence-transformers folder; `Lexical` needs none and is
never called semantic. Importing this package loads neither of those libraries.
"""

from evalsuite.embedding.embedder import Embedder, Floats, unit_length
from evalsuite.embedding.folder import find_embedder, open_embedder

__all__ = ["Embedder", "Floats", "find_embedder", "open_embedder", "unit_length"]
