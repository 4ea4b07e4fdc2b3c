"""One rule for the length of a context, for training and evaluation."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.models.context import UNKNOWN_CONTEXT, context_length


@pytest.mark.parametrize(
    ("config", "tokens"),
    [
        ({"max_position_embeddings": 4096}, 4096),
        ({"n_positions": 1024, "n_ctx": 512}, 1024),
        ({"text_config": {"max_position_embeddings": 8192}, "max_position_embeddings": 77}, 8192),
        ({"text_config": {}, "max_position_embeddings": 77}, 77),
        ({"max_position_embeddings": None}, UNKNOWN_CONTEXT),
    ],
)
def test_the_context_is_read_where_each_architecture_says_it(
    config: dict[str, Any], tokens: int
) -> None:
    assert context_length(config) == tokens
