"""Items made ahead come in their order, with what was raised in its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from curate.formats.ahead import ahead


def test_the_next_item_is_made_while_this_one_is_worked_on() -> None:
    made: list[int] = []
    begun = threading.Event()

    def items() -> Iterator[int]:
        for number in range(3):
            made.append(number)
            if number == 1:
                begun.set()
            yield number

    with ahead(items()) as found:
        assert next(found) == 0
        assert begun.wait(30)  # nobody has asked for the second yet
        assert list(found) == [1, 2]
    assert made == [0, 1, 2]


def test_what_making_raises_comes_after_what_was_made() -> None:
    def items() -> Iterator[str]:
        yield "whole"
        raise OSError("damaged")

    with ahead(items()) as found:
        assert next(found) == "whole"
        with pytest.raises(OSError, match="damaged"):
            next(found)


def test_nothing_is_made_after_the_end() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    with pytest.raises(KeyError), ahead(items()) as found:
        next(found)
        raise KeyError
    assert len(made) <= 2
    assert threading.active_count() < 50
