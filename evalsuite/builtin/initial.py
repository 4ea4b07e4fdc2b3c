"""A head start for the base model: three attention heads that are placed instead of found.

Copying, reversing and looking up all need heads that find a token again: one that writes the
previous token beside each token, one that looks where the current token came before and reads what
followed (an induction head, Olsson et al. 2022, https://arxiv.org/abs/2209.11895), and one that
reads what came before it. Gradient descent finds them, but only after more steps than a laptop has
patience for: with random weights, copying stood at 0 after 400 steps. Everything else starts
random, and all of it is trained.

With `a` the first and `b` the second kind of subspace of the embedding, the placed heads are

- layer 0: attends to distance 1, writes `a` of that token into `b`;
- layer 1, induction: matches `a` of the query with `b` of the key, copies the token;
- layer 1, backwards: matches `a` with `a`, copies `b` back to `a`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

EMBEDDING_STD = 0.05
PREVIOUS_SCORE = 0.7
WRITE = 0.17
MATCH = 1.7
COPY = 0.5


@dataclass(frozen=True)
class _Subspaces:
    """Orthonormal directions of the embedding, each [head size, width] but the constant."""

    constant: Tensor
    token: tuple[Tensor, Tensor]
    previous: tuple[Tensor, Tensor]
    output: tuple[Tensor, Tensor]


@torch.no_grad()
def place_heads(model: Any, generator: torch.Generator) -> None:
    """Sets the embedding and the heads of layers 0 and 1 in place.

    `model` is a Llama with at least three key-value heads and width >= 6 head sizes.
    """
    config = model.config
    spaces = _subspaces(config.hidden_size, config.head_dim, generator)
    embedding = model.model.embed_tokens.weight
    embedding.normal_(0, EMBEDDING_STD, generator=generator)
    # Every token also has the constant, from which queries blind to content are made.
    embedding += spaces.constant * EMBEDDING_STD * config.hidden_size**0.5
    first, second = (layer.self_attn for layer in model.model.layers[:2])
    turn = _rotary_phases(config)
    for group in (0, 1):
        direction = PREVIOUS_SCORE * spaces.constant
        query = torch.cat([torch.ones_like(turn), torch.zeros_like(turn)])
        key = torch.cat([turn.cos(), turn.sin()])
        _set(
            first,
            group,
            query=torch.outer(query, direction),
            key=torch.outer(key, direction),
            value=spaces.token[group],
            output=WRITE * spaces.previous[group],
        )
        _set(
            second,
            group,
            query=MATCH * spaces.token[group],
            key=MATCH * spaces.previous[group],
            value=spaces.output[group],
            output=COPY * spaces.output[group],
        )
    _set(
        second,
        2,
        query=MATCH * spaces.token[0],
        key=MATCH * spaces.token[0],
        value=spaces.previous[1],
        output=COPY * spaces.token[1],
    )


def _set(
    attention: Any, group: int, *, query: Tensor, key: Tensor, value: Tensor, output: Tensor
) -> None:
    """Writes the first query head of a key-value group; matrices are [head size, width]."""
    size = query.shape[0]
    head = group * attention.num_key_value_groups
    attention.q_proj.weight[head * size : (head + 1) * size] = query
    attention.k_proj.weight[group * size : (group + 1) * size] = key
    attention.v_proj.weight[group * size : (group + 1) * size] = value
    attention.o_proj.weight[:, head * size : (head + 1) * size] = output.T


def _subspaces(width: int, size: int, generator: torch.Generator) -> _Subspaces:
    seed = torch.randn(width, width, generator=generator)
    seed[:, 0] = 1.0
    basis = torch.linalg.qr(seed)[0].T
    parts = [basis[1 + i * size : 1 + (i + 1) * size] for i in range(6)]
    # The constant takes one direction, so that the last part is one short.
    parts[5] = torch.cat([parts[5], torch.zeros(size - len(parts[5]), width)])
    constant = basis[0] * basis[0].sum().sign()
    return _Subspaces(constant, (parts[0], parts[1]), (parts[2], parts[3]), (parts[4], parts[5]))


def _rotary_phases(config: Any) -> Tensor:
    """Radians that the rotary embedding turns each pair of dimensions per position."""
    half = config.head_dim // 2
    theta = config.rope_parameters["rope_theta"]
    return torch.tensor([theta ** (-i / half) for i in range(half)])
