"""Two conversations with the same questions, one with each model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.engine.stream import Sampling, TextStream

if TYPE_CHECKING:
    from evalsuite.engine.voices import Voices


@dataclass
class Side:
    """One model's conversation."""

    name: str
    history: list[dict[str, str]] = field(default_factory=list)
    said: str = ""
    """Of the answer being written."""
    tokens: int = 0
    ended: bool = True
    """Whether it ended by itself; False: cut at the limit."""


class Session:
    """Base and tuned, each with a history of its own answers."""

    def __init__(
        self, voices: Voices, *, system: str, max_new_tokens: int, sampling: Sampling
    ) -> None:
        """Begin with empty histories, but for the system turn if there is one."""
        self.voices = voices
        self.system = system
        self.max_new_tokens = max_new_tokens
        self.sampling = sampling
        self.sides = [Side(name) for name in voices.names]
        self.reset()

    def reset(self) -> None:
        """Forget everything but the system turn."""
        opening = [{"role": "system", "content": self.system}] if self.system else []
        for side in self.sides:
            side.history = [dict(one) for one in opening]
            side.said, side.tokens, side.ended = "", 0, True

    def ask(self, question: str) -> Iterator[Side]:
        """Put a question to both, and yield a side whenever it has written something.

        They write in turns, a token each. A side that is interrupted keeps what it has written.

        Raises:
            ModelError: the template refuses the conversation.
            DataError: it is longer than the models read.
        """
        prompts = {}
        for side in self.sides:
            asked = [*side.history, {"role": "user", "content": question}]
            prompt = self.voices.prompt(asked)
            prompts[side.name] = (asked, prompt, self.voices.room(prompt))
        writers = []
        for side in self.sides:
            asked, prompt, room = prompts[side.name]
            side.history, side.said, side.tokens, side.ended = asked, "", 0, False
            writers.append((side, self._write(side, prompt, min(room, self.max_new_tokens))))
        try:
            while writers:
                for entry in list(writers):
                    side, writer = entry
                    if next(writer, None) is None:
                        writers.remove(entry)
                    yield side
        finally:
            for side in self.sides:
                side.history.append({"role": "assistant", "content": side.said})

    def _write(self, side: Side, prompt: list[int], most: int) -> Iterator[bool]:
        voices = self.voices
        text = TextStream(voices.tokenizer)
        for token in voices.say(side.name, prompt, max_new_tokens=most, sampling=self.sampling):
            if token in voices.tokenizer.eos_ids:
                side.ended = True
                break
            side.tokens += 1
            side.said += text.add(token)
            yield True
        side.said += text.end()
