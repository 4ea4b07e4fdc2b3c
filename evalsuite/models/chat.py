"""A model's tokenizer and chat template, without torch.

transformers' tokenizers import torch, which costs seconds and gigabytes; planning, token counts
and previews need neither. This reads the same files (`tokenizer.json`, `tokenizer_config.json`,
`chat_template.jinja`, `generation_config.json`) with the `tokenizers` library, and everything
that needs tokens uses it, training and evaluation included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.models.pieces import Pieces, token_spans
from evalsuite.models.template import ChatTemplate, Rendered
from evalsuite.models.tokenizer_files import (
    named_tokens,
    read_document,
    read_template_file,
    stop_ids,
)
from evalsuite.models.turns import Conversation, Frame, find_turns, read_frame
from evalsuite.models.vision import Vision, as_parts, find_vision, image_tokens
from workspace.errors import ModelError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from evalsuite.models.reading import TemplateReading

Message = Mapping[str, Any]
"""`{"role": …, "content": …}` and what else the template knows. An image in the content is a part
`{"type": "image", "size": (width, height)}`."""
_PROBE = "two and two"


@dataclass(frozen=True)
class TokenisedChat:
    """A row as the model sees it."""

    input_ids: list[int]
    loss_mask: list[bool]
    """True where the token is trained on; as long as `input_ids`."""
    text: str
    """What was tokenised."""
    turns: tuple[tuple[int, int], ...] = ()
    """(start, end) token positions of each trained span, in order; empty where `left_out`."""
    left_out: Mapping[int, str] = field(default_factory=dict)
    """Place in `turns` of each answer that is not learnt → a key of `turns.REASONS`. Only where
    the template has no marks of its own."""
    additions: tuple[str, ...] = ()
    """What `text` has that the template leaves out; see `turns.Conversation`."""

    @property
    def trained_tokens(self) -> int:
        """How many tokens carry loss."""
        return sum(self.loss_mask)


@dataclass(frozen=True)
class ChatTokenizer:
    """Text and conversations to token ids and back."""

    path: Path
    tokenizer: Tokenizer
    special_tokens: Mapping[str, str]
    """`eos_token` … → its text."""
    eos_ids: frozenset[int]
    """Token ids at which generation stops."""
    template: ChatTemplate | None
    vision: Vision | None = None
    """How images become tokens; None for a text model, or one whose way is not known."""

    @classmethod
    def from_dir(cls, path: Path) -> ChatTokenizer:
        """Read the tokenizer and template of a model directory.

        Raises:
            ModelError: no such directory, no fast tokenizer in it, or a broken template.
        """
        from tokenizers import Tokenizer

        file = path / "tokenizer.json"
        if not file.is_file():
            raise ModelError(
                "there is no tokenizer.json here",
                where=str(path),
                cause="A fast tokenizer is needed; sentencepiece alone does not say offsets.",
                cure="Save one with AutoTokenizer.from_pretrained(…).save_pretrained(DIR).",
            )
        try:
            tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # the library raises a bare Exception
            raise ModelError(
                "this tokenizer.json cannot be read", where=str(file), cause=f"{error}."
            ) from error
        tokenizer.no_padding()
        tokenizer.no_truncation()
        config = read_document(path / "tokenizer_config.json")
        special = named_tokens(config, read_document(path / "special_tokens_map.json"))
        return cls(
            path=path,
            tokenizer=tokenizer,
            special_tokens=special,
            eos_ids=stop_ids(path, tokenizer, special),
            template=read_template_file(path, config, special),
            vision=find_vision(path, tokenizer),
        )

    @property
    def pad_id(self) -> int | None:
        """The id that fills short rows, or None if the tokenizer names none."""
        return self.token_id(self.special_tokens.get("pad_token"))

    @property
    def bos_id(self) -> int | None:
        """The id that begins a text, or None."""
        return self.token_id(self.special_tokens.get("bos_token"))

    @property
    def eos_id(self) -> int | None:
        """The tokenizer's own end token, which ends plain text, or None."""
        return self.token_id(self.special_tokens.get("eos_token"))

    @property
    def vocab_size(self) -> int:
        """How many tokens there are, added ones included."""
        return int(self.tokenizer.get_vocab_size(with_added_tokens=True))

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template marks what the assistant writes."""
        return self.template is not None and self.template.has_generation_marks

    @property
    def finds_answers(self) -> bool:
        """Whether `encode_chat` can tell what the assistant writes, by marks or without."""
        return self.template is not None and not self.reading.problem

    @cached_property
    def reading(self) -> TemplateReading:
        """What the template does with a few conversations.

        Raises:
            ModelError: there is no template.
        """
        from evalsuite.models.reading import read_template

        return read_template(self)

    @cached_property
    def stop_texts(self) -> tuple[str, ...]:
        """Texts of the tokens at which generation stops."""
        ids = sorted(one for one in self.eos_ids if self.tokenizer.id_to_token(one) is not None)
        return tuple(filter(None, (self.decode([one], special=True).strip() for one in ids)))

    @cached_property
    def _added_ids(self) -> frozenset[int]:
        return frozenset(self.tokenizer.get_added_tokens_decoder())

    @cached_property
    def takes_parts(self) -> bool:
        """Whether contents are given to the template as lists of parts, as vision models' need."""
        if self.vision is None or self.template is None:
            return False
        asked = as_parts([{"role": "user", "content": _PROBE}])
        try:
            text = self.template.render(asked).text
        except ModelError:
            return False
        return _PROBE in text and "'type'" not in text  # a list that is printed as it is

    @cached_property
    def frame(self) -> Frame:
        """What the template writes around an answer."""
        return read_frame(lambda messages, ask: self._text(messages, None, ask), self.stop_texts)

    @cached_property
    def template_digest(self) -> str:
        """SHA-256 of the template's text, or of nothing if there is none."""
        source = self.template.source if self.template else ""
        return hashlib.sha256(source.encode()).hexdigest()

    @cached_property
    def digest(self) -> str:
        """SHA-256 over what decides token ids: the tokenizer and the template."""
        total = hashlib.sha256(self.tokenizer.to_str().encode())
        total.update(self.template_digest.encode())
        if self.vision is not None:
            total.update(self.vision.digest.encode())
        return total.hexdigest()

    def token_id(self, token: str | None) -> int | None:
        """Return the id of one token's text, or None if it is not one token."""
        return None if token is None else self.tokenizer.token_to_id(token)

    def encode(self, text: str, *, special: bool = False) -> list[int]:
        """Return token ids of `text`.

        Args:
            text: any text; tokens written out in it (such as `<|im_end|>`) count as tokens.
            special: add what the tokenizer adds to a plain text, such as a begin token.
        """
        return list(self.tokenizer.encode(text, add_special_tokens=special).ids)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Return the text of token ids, special tokens only if `special`."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=not special))

    def render(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = False,
    ) -> Rendered:
        """Return a conversation as text with the assistant's spans.

        Raises:
            ModelError: there is no template, or it refuses these messages.
        """
        if self.template is None:
            raise ModelError(
                "this model has no chat template",
                where=str(self.path),
                cause="Neither chat_template.jinja nor tokenizer_config.json holds one.",
                cure="Use the instruct version of the model, or add a chat_template.jinja.",
            )
        return self.template.render(
            as_parts(messages) if self.takes_parts else messages,
            tools=tools,
            add_generation_prompt=add_generation_prompt,
        )

    def encode_prompt(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> list[int]:
        """Return the ids of a conversation up to where the assistant begins to write."""
        ids = self.encode(self.render(messages, tools=tools, add_generation_prompt=True).text)
        if self.vision is None:
            return ids
        repeats = self.vision.expand(ids, image_tokens(self.vision, messages))
        return [one for one, times in zip(ids, repeats, strict=True) for _ in range(times)]

    def encode_chat(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> TokenisedChat:
        """Return a whole conversation, trained on what the assistant writes.

        That is what lies in `{% generation %}` spans; a token counts as trained if any of its
        characters lies in one. Without such marks it is found as `evalsuite.models.turns` says.
        Tokens of images are never trained.

        Raises:
            ModelError: there is no template, it refuses these messages, or it writes another number
                of places than they have images.
        """
        if not self.has_generation_marks:
            chat = self._encode_unmarked(messages, tools)
        else:
            text, spans = self.render(messages, tools=tools)
            pieces = self._pieces(text)
            mask, turns = token_spans(pieces, spans)
            chat = TokenisedChat(list(pieces.ids), mask, text, turns)
        if self.vision is None:
            return chat
        return _expanded(chat, self.vision, image_tokens(self.vision, messages))

    def find_turns(
        self, messages: Sequence[Message], *, tools: Sequence[Any] | None = None
    ) -> Conversation:
        """Return a conversation as text with its assistant's turns, found without marks.

        Raises:
            ModelError: there is no template, or it refuses these messages.
        """
        return find_turns(messages, lambda some, ask: self._text(some, tools, ask), self.frame)

    def _text(self, messages: Sequence[Message], tools: Sequence[Any] | None, ask: bool) -> str:
        return self.render(messages, tools=tools, add_generation_prompt=ask).text

    def _encode_unmarked(
        self, messages: Sequence[Message], tools: Sequence[Any] | None
    ) -> TokenisedChat:
        found = self.find_turns(messages, tools=tools)
        pieces = self._pieces(found.text)
        last = found.turns[-1] if found.turns else None
        if last and not last.left_out and not self._prompt_stays(pieces, found.text, last.start):
            pieces = self._pieces_behind(found.text, last.start) or pieces
        left_out = {place: turn.left_out for place, turn in enumerate(found.turns) if turn.left_out}
        for place, turn in enumerate(found.turns):
            if not turn.left_out and not self._prompt_stays(pieces, found.text, turn.start):
                left_out[place] = "prompt_joined"
        turns = enumerate(found.turns)
        learnt = [(turn.start, turn.end) for place, turn in turns if place not in left_out]
        mask, spans = token_spans(pieces, learnt)
        rest = iter(spans)
        return TokenisedChat(
            input_ids=list(pieces.ids),
            loss_mask=mask,
            text=found.text,
            turns=tuple((0, 0) if i in left_out else next(rest) for i in range(len(found.turns))),
            left_out=left_out,
            additions=found.additions,
        )

    def _pieces(self, text: str) -> Pieces:
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        return Pieces(encoding.ids, encoding.offsets)

    def _pieces_behind(self, text: str, start: int) -> Pieces | None:
        """Return prompt and answer tokenised apart, as generation has them.

        None where the tokenizer would begin the answer as if it began a text, with a space.
        """
        prompt, answer = self._pieces(text[:start]), self._pieces(text[start:])
        first = (self.tokenizer.id_to_token(answer.ids[0]) if answer.ids else None) or ""
        if first.startswith(("\N{LOWER ONE EIGHTH BLOCK}", "Ġ")) and text[start] != " ":
            return None
        moved = [(begin + start, end + start) for begin, end in answer.offsets]
        return Pieces([*prompt.ids, *answer.ids], [*prompt.offsets, *moved])

    def _prompt_stays(self, pieces: Pieces, text: str, start: int) -> bool:
        """Return whether a prompt has the tokens alone that it has before its answer.

        Added tokens split a text before the rest is tokenised, so what follows the last of them
        decides.
        """
        ids, offsets = pieces
        first = next((i for i, (_, end) in enumerate(offsets) if end > start), len(ids))
        if first < len(ids) and offsets[first][0] < start:
            return False
        added = (i for i in range(first - 1, -1, -1) if ids[i] in self._added_ids)
        last = next(added, 0)
        beginning = offsets[last][0] if last else 0
        return self.encode(text[beginning:start]) == list(ids[last:first])


def _expanded(chat: TokenisedChat, vision: Vision, counts: Sequence[int]) -> TokenisedChat:
    """Return a chat with each image's placeholder as often as the model has vectors for it."""
    repeats = vision.expand(chat.input_ids, counts)
    ids: list[int] = []
    mask: list[bool] = []
    starts = [0]
    for one, learnt, times in zip(chat.input_ids, chat.loss_mask, repeats, strict=True):
        ids += [one] * times
        mask += [learnt and one != vision.token_id] * times
        starts.append(len(ids))
    turns = tuple((starts[start], starts[end]) for start, end in chat.turns)
    return replace(chat, input_ids=ids, loss_mask=mask, turns=turns)


def unknown_token(tokenizer: ChatTokenizer, token: int, known: int, where: str) -> ModelError:
    """Return the error of a token id that the model has no weights for.

    Args:
        tokenizer: what gave the id.
        token: the id.
        known: how many ids the model knows.
        where: the text it is in.
    """
    return ModelError(
        "the tokenizer has tokens that the model does not know",
        where=where,
        cause=f"{tokenizer.decode([token], special=True)!r} is token {token:,} of "
        f"{tokenizer.path / 'tokenizer.json'}; the model knows {known:,} tokens.",
        cure="Use the tokenizer that came with the weights, or resize_token_embeddings and save "
        "the model again.",
    )
