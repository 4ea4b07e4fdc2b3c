"""Sentences that support tickets are composed of, by label. Plain data.

`{product}` is filled with one of the phrases of the ticket's product, `{when}` with a time.
"""
# ruff: noqa: SIM905  (a word list reads better as words)

from __future__ import annotations

ISSUES: dict[str, tuple[str, ...]] = {
    "billing": (
        "I was charged twice for my {product} {when}",
        "the invoice for the {product} shows the wrong amount",
        "I was charged for a {product} {when} that I never bought",
        "the discount is not on the invoice for my {product}",
        "please send me the invoice for the {product} that I paid for {when}",
        "you charged me more for the {product} than the offer said",
        "my bank says that you charged the {product} again {when}",
    ),
    "shipping": (
        "the parcel with my {product} has not arrived yet",
        "the courier left the parcel with the {product} at the wrong address {when}",
        "I am still waiting for delivery of the {product}",
        "the parcel with the {product} has been on the way since {when}",
        "I want to change the delivery address for the {product}",
        "the driver did not ring and took the parcel with my {product} back {when}",
        "the delivery of my {product} should have been {when}",
    ),
    "accounts": (
        "I forgot the password for my {product}",
        "I cannot log in to my {product} account since {when}",
        "please change the name on my {product} account",
        "the code for my {product} account never comes",
        "the link for a new {product} password does not open",
        "please delete my {product} account and all my data",
        "my password for the {product} does not work since {when}",
    ),
    "technical": (
        "the {product} shows an error when it starts",
        "the screen of the {product} went black {when}",
        "my {product} has an error after the update {when}",
        "there is a line on the screen of my {product}",
        "I see the same error on the {product} every few minutes",
        "the {product} stopped with an error {when}",
        "the screen of the {product} is very slow since {when}",
    ),
    "returns": (
        "I want to return the {product}",
        "I would like to exchange the {product} for another colour",
        "the {product} is not what I ordered, so I return it",
        "how many days do I have to return the {product}",
        "please send me a label to return the {product}",
        "can you exchange the {product} that I bought {when}",
        "I want to exchange the {product} for a new one",
    ),
}
"""Team → what is wrong, in lower case and without a full stop."""

PRODUCTS: dict[str, tuple[str, ...]] = {
    "tablet": ("tablet", "new tablet", "Nova tablet"),
    "router": ("router", "home router", "Orbit router"),
    "camera": ("camera", "door camera", "Lumen camera"),
    "printer": ("printer", "colour printer", "Quill printer"),
    "watch": ("watch", "sports watch", "Pulse watch"),
}

URGENCY: dict[str, tuple[str, ...]] = {
    "high": (
        "This is urgent",
        "I need an answer today",
        "Please solve this today",
        "It is urgent because I cannot work",
        "Call me today",
        "My business stands still, so it is urgent",
    ),
    "normal": (
        "Please look into it this week",
        "I would like to hear from you this week",
        "Please get back to me soon",
        "I hope that someone can help me soon",
        "Can you tell me soon what happens next",
        "Some time this week would be fine",
    ),
    "low": (
        "There is no hurry",
        "It can wait until next month",
        "I am in no hurry",
        "This is a small thing and can wait",
        "Answer when you have time, I am in no hurry",
        "My question can wait",
    ),
}

WHEN = (
    "yesterday",
    "last week",
    "on Monday",
    "on Tuesday",
    "on Friday",
    "this morning",
    "two days ago",
    "last month",
    "ten days ago",
    "in April",
    "in October",
    "on the weekend",
)

GREETINGS = (
    "",
    "Hello",
    "Hi",
    "Hi there",
    "Good morning",
    "Good evening",
    "Dear team",
    "Dear support",
    "Hello everyone",
)

ASIDES = (
    "I have been a customer for {number} years",
    "My order number is {number}",
    "The order has the number {number}",
    "I live in {city}",
    "I am writing from {city}",
    "I bought it in your shop in {city}",
    "My neighbour in {city} has the same one",
    "My wife told me to write to you",
    "I already read the help pages",
    "I wrote to the chat first but nobody was there",
    "I am on a trip in {city} at the moment",
    "The ticket before this one was {number}",
    "My customer number ends in {number}",
    "A friend in {city} told me about your shop",
    "I found your address on the website",
    "I am away for {number} days",
)
"""Sentences that say nothing about the labels."""

CITIES = tuple(
    """
    Paris London Berlin Madrid Rome Oslo Dublin Vienna Athens Lisbon Warsaw Prague Boston Chicago
    Denver Seattle Toronto Sydney Cairo Tokyo
    """.split()
)

CLOSINGS = (
    "",
    "Thanks",
    "Thank you",
    "Many thanks",
    "Best regards",
    "Kind regards",
    "Regards",
    "Yours",
)

SIGNATURES = tuple(
    """
    Anna Ben Carla David Emma Felix Grace Hugo Ines Jack Karen Leo Maria Nora Oscar Paula Rosa Sam
    Tom Vera
    """.split()
)
