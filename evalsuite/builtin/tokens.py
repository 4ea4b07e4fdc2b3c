"""The tokenizer of the built-in model: byte-level BPE, single digits, ChatML."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from evalsuite.builtin.pretraining import Message, draw_chats, ticket_words
from evalsuite.builtin.tickets import TicketSplit, draw_ticket

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

PAD, START, END = "<|pad|>", "<|im_start|>", "<|im_end|>"
VOCABULARY = 2048
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def train_tokenizer(seed: int = 0) -> Tokenizer:
    """Trains the vocabulary on pre-training chats and tickets, so that common words are one token.

    Digits stay single, so that sums are learned digit by digit.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[PAD, START, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed), trainer)
    return tokenizer


def wrap_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The same tokenizer with its special tokens and chat template, ready to save."""
    from transformers import PreTrainedTokenizerFast

    make: Any = PreTrainedTokenizerFast  # untyped in transformers
    wrapped: PreTrainedTokenizerFast = make(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=[START],
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE.read_text(encoding="utf-8")
    return wrapped


def segments(messages: list[Message]) -> list[tuple[str, bool]]:
    """The chat as text pieces, each with whether it is trained on; joined = the chat template."""
    pieces: list[tuple[str, bool]] = []
    context = ""
    for message in messages:
        context += f"{START}{message['role']}\n"
        if message["role"] == "assistant":
            pieces += [(context, False), (message["content"] + END, True)]
            context = "\n"
        else:
            context += f"{message['content']}{END}\n"
    return pieces


def _corpus(seed: int) -> Iterator[str]:
    for chat in islice(draw_chats(seed), 30_000):
        yield "".join(text for text, _ in segments(chat))
    rng = Random(seed)
    for _ in range(3_000):
        ticket = draw_ticket(rng, TicketSplit.RAW)
        yield f"{ticket.text}\n{ticket.answer}"
    # Once more with and without a space before, so that both forms of a word are one token.
    for _ in range(20):
        yield "\n".join(ticket_words())
        yield " ".join(ticket_words())
