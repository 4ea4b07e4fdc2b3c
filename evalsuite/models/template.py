"""Chat templates: rendered in Jinja's sandbox, with the spans that the assistant wrote.

`{% generation %}` … `{% endgeneration %}` is the mark that transformers defined for "the model
writes this". Rendering returns those spans as character positions of the text.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from workspace.errors import ModelError

_GENERATION = re.compile(r"\{%-?\s*generation\b")


class TemplateRefused(ModelError):
    """A chat template does not take a conversation, or fails on it."""


class Rendered(NamedTuple):
    """A conversation as text."""

    text: str
    spans: tuple[tuple[int, int], ...]
    """(start, end) character positions of what the assistant wrote."""


class _Generation(Extension):
    """`{% generation %}`: fences the block with marks that `render` turns into spans.

    Marks survive filters and `{% set %}` blocks, which counting output characters would not.
    """

    tags = {"generation"}  # noqa: RUF012  (the base class declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_fence", [nodes.ContextReference()])
        return nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _fence(self, context: Any, caller: Callable[[], str]) -> str:
        opening, closing = context["__generation_marks__"]
        return f"{opening}{caller()}{closing}"


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _tojson(
    value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any
) -> str:
    # Jinja's own filter escapes for HTML, which would train the model on \u0026 and the like.
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)


@lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(source)


class ChatTemplate:
    """A compiled chat template."""

    def __init__(self, source: str, *, where: str, special_tokens: Mapping[str, str]) -> None:
        """Compile `source`.

        Args:
            source: Jinja text.
            where: the file it came from, for errors.
            special_tokens: `bos_token`, `eos_token` … as the template may use them.

        Raises:
            ModelError: it does not compile.
        """
        self.source = source
        self.where = where
        self.special_tokens = dict(special_tokens)
        try:
            self._template = _compiled(source)
        except TemplateError as error:
            line = f":{error.lineno}" if isinstance(error, TemplateSyntaxError) else ""
            raise ModelError(
                "this chat template does not compile",
                where=f"{where}{line}",
                cause=f"{str(error).rstrip('.')}.",
                cure="Mend it, or take the template that came with the model.",
            ) from error

    @property
    def has_generation_marks(self) -> bool:
        """Whether the template says which text the assistant writes."""
        return bool(_GENERATION.search(self.source))

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Any] | None = None,
        add_generation_prompt: bool = False,
    ) -> Rendered:
        """Render a conversation.

        Raises:
            ModelError: the template refuses these messages.
        """
        nonce = secrets.token_hex(8)
        opening, closing = f"\x00<{nonce}>\x00", f"\x00</{nonce}>\x00"
        try:
            fenced = self._template.render(
                messages=messages,
                tools=tools or None,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                __generation_marks__=(opening, closing),
                **self.special_tokens,
            )
        except Exception as error:  # a template can raise anything that Python can
            said = str(error).rstrip(".") or type(error).__name__
            raise TemplateRefused(
                "the chat template refuses this conversation",
                where=self.where,
                cause=f"{said}. Roles in it: {', '.join(str(m.get('role')) for m in messages)}.",
                cure="Change the rows (curate can map roles), or the template.",
            ) from error
        return _spans(fenced, opening, closing)


def _spans(fenced: str, opening: str, closing: str) -> Rendered:
    """Take the marks out and note where they stood."""
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    position = 0
    for index, piece in enumerate(fenced.split(opening)):
        inside, _, after = piece.partition(closing) if index else ("", "", piece)
        if inside:
            spans.append((position, position + len(inside)))
        parts += [inside, after]
        position += len(inside) + len(after)
    return Rendered("".join(parts), tuple(spans))
