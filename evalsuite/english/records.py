"""Small records of everyday kinds, each told in a sentence from which it can be read again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from evalsuite.english.making import NAMES

Record = dict[str, str | int]

_CITIES = ("Oslo", "Lima", "Turin", "Graz", "Quito", "Leeds", "Porto", "Kyoto", "Dakar", "Tampa")
_GOODS = ("lamp", "chair", "kettle", "blanket", "radio", "basket", "mirror", "ladder", "drill")
_TITLES = ("Night Ferry", "The Salt Road", "Glass Orchard", "Seven Winters", "A Quiet Engine",
           "The Paper Boat", "Iron Garden", "Late Harvest")  # fmt: skip
_ROOMS = ("A1", "A4", "B2", "B7", "C3", "C9", "D5")
_DISHES = ("lentil soup", "apple cake", "fish stew", "rice salad", "potato pie", "bean curry")
_WEATHERS = ("sunny", "rainy", "cloudy", "windy", "foggy", "snowy")


@dataclass(frozen=True)
class Kind:
    """One kind of record."""

    name: str
    sentence: str
    """How it is told, with a place for each field."""
    draw: Callable[[Random], Record]

    def told(self, record: Record) -> str:
        """Return the record as a sentence."""
        return self.sentence.format(**record)


def _person(rng: Random) -> Record:
    return {"name": rng.choice(NAMES), "age": rng.randint(18, 80), "city": rng.choice(_CITIES)}


def _order(rng: Random) -> Record:
    return {
        "order": rng.randint(1000, 9999), "item": rng.choice(_GOODS),
        "quantity": rng.randint(2, 20), "price": rng.randint(5, 95),
    }  # fmt: skip


def _book(rng: Random) -> Record:
    return {
        "title": rng.choice(_TITLES), "author": rng.choice(NAMES),
        "year": rng.randint(1930, 2020), "pages": rng.randint(80, 700),
    }  # fmt: skip


def _meeting(rng: Random) -> Record:
    return {
        "host": rng.choice(NAMES), "room": rng.choice(_ROOMS),
        "hour": rng.randint(8, 18), "guests": rng.randint(2, 30),
    }  # fmt: skip


def _recipe(rng: Random) -> Record:
    return {
        "dish": rng.choice(_DISHES), "minutes": rng.randrange(15, 120, 5),
        "serves": rng.randint(2, 8), "cook": rng.choice(NAMES),
    }  # fmt: skip


def _weather(rng: Random) -> Record:
    return {
        "city": rng.choice(_CITIES),
        "sky": rng.choice(_WEATHERS),
        "degrees": rng.randint(1, 35),
    }


KINDS = (
    Kind("person", "{name} is {age} years old and lives in {city}.", _person),
    Kind("order", "Order {order} is for {quantity} pieces of the item {item} at a price of {price} "
         "euros each.", _order),
    Kind("book", '"{title}" by {author} was published in {year} and has {pages} pages.', _book),
    Kind("meeting", "{host} is the host of a meeting in room {room} at hour {hour} with {guests} "
         "guests.", _meeting),
    Kind("recipe", "{cook} cooks the dish {dish}, which takes {minutes} minutes and serves "
         "{serves}.", _recipe),
    Kind("weather", "In {city} the sky is {sky} and it has {degrees} degrees.", _weather),
)  # fmt: skip
