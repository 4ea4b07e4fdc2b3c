"""What a template and a tokenizer must have before any row can be proved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workspace.errors import ModelError

if TYPE_CHECKING:
    from evalsuite.models.chat import ChatTokenizer


def check_template(tokenizer: ChatTokenizer) -> None:
    """Refuse templates that cannot be proved, before any row is tokenised.

    Raises:
        ModelError: no template, no generation marks, no stop token, or no end token after the
            assistant's words.
    """
    if tokenizer.template is None:
        raise ModelError(
            "this model has no chat template",
            where=str(tokenizer.path),
            cure="Use the instruct version of the model, or add a chat_template.jinja.",
        )
    where = tokenizer.template.where
    if not tokenizer.eos_ids:
        raise ModelError(
            "this model names no token at which generation stops",
            where=str(tokenizer.path),
            cause="Neither generation_config.json, config.json nor the tokenizer has an "
            "end-of-sequence token.",
            cure="Add eos_token_id to generation_config.json.",
        )
    if tokenizer.reading.problem:
        raise ModelError(
            "the chat template does not show what the assistant writes",
            where=where,
            cause=tokenizer.reading.problem,
            cure="`temper preview --template` shows what it writes. Put {% generation %} before "
            "the assistant's content and {% endgeneration %} after its end token and save it as "
            "chat_template.jinja in a copy of the model; an end token that generation does not "
            "know belongs into generation_config.json as eos_token_id.",
        )
    if not tokenizer.has_generation_marks:
        return  # the reading of it has proved the rest
    chat = tokenizer.encode_chat(
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    )
    trained = {
        token
        for token, is_trained in zip(chat.input_ids, chat.loss_mask, strict=True)
        if is_trained
    }
    if not trained & tokenizer.eos_ids:
        stops = ", ".join(
            tokenizer.decode([one], special=True) for one in sorted(tokenizer.eos_ids)
        )
        raise ModelError(
            "the chat template trains no end token",
            where=where,
            cause=f"Generation stops at {stops}, but an assistant's turn trains "
            f"{_text(tokenizer, chat.input_ids, chat.loss_mask)!r}.",
            cure="Put the end token inside {% generation %} … {% endgeneration %}, or name the "
            "template's own end token in generation_config.json as eos_token_id.",
        )


def _text(tokenizer: ChatTokenizer, ids: Sequence[int], mask: Sequence[bool]) -> str:
    return tokenizer.decode(
        [token for token, is_trained in zip(ids, mask, strict=True) if is_trained], special=True
    )


def padding_token(tokenizer: ChatTokenizer) -> tuple[int, str]:
    """Return the token that fills short rows, and why it was chosen.

    Padding carries neither attention nor loss, so any token will do, except one at which
    generation stops: libraries that mask labels by the padding's id would then never train the
    end (huggingface/trl#1623).
    """
    own = tokenizer.pad_id
    if own is not None and own not in tokenizer.eos_ids:
        return own, "the tokenizer's own"
    why = "the tokenizer names none" if own is None else "the tokenizer's own is a stop token"
    for name in ("unk_token", "bos_token"):
        other = tokenizer.token_id(tokenizer.special_tokens.get(name))
        if other is not None and other not in tokenizer.eos_ids:
            return other, f"{name}, because {why}"
    free = next(token for token in range(tokenizer.vocab_size) if token not in tokenizer.eos_ids)
    return free, f"the first that is no stop token, because {why}"
