"""Sentences that support tickets are composed of, by label. Plain data.

`{product}` is filled with one of the phrases of the ticket's product, `{when}` with a time.
"""
# ruff: noqa: SIM905  (a word list reads better as words)

from __future__ import annotations

ISSUES: dict[str, tuple[str, ...]] = {
    "billing": (
        "I was charged twice for my {product} {when}",
        "the invoice for the {product} shows the wrong amount",
        "a payment for the {product} left my bank account {when} and I never agreed to it",
        "the discount was not taken off the price of the {product}",
        "I need a receipt for the {product} that I paid for {when}",
        "the bill for my {product} is much higher than the offer said",
    ),
    "shipping": (
        "my {product} has not arrived yet",
        "the courier left the {product} at the wrong address {when}",
        "the parcel with the {product} has been on the way since {when}",
        "the tracking page for my {product} has not moved since {when}",
        "I want to change the delivery address for the {product}",
        "the driver did not ring and took the {product} back {when}",
    ),
    "accounts": (
        "I forgot the password for my {product} account",
        "I cannot log in to my {product} profile since {when}",
        "please change the name on my {product} account",
        "the code to sign in to the {product} account never comes",
        "my {product} account was locked {when}",
        "please delete my {product} profile and all my data",
    ),
    "technical": (
        "the {product} does not turn on any more",
        "the screen of the {product} went black {when}",
        "my {product} loses its connection every few minutes",
        "the {product} shows an error after the update {when}",
        "the battery of the {product} is empty after one hour",
        "my {product} is very slow since {when}",
    ),
    "returns": (
        "I want to send the {product} back",
        "I would like to exchange the {product} for another colour",
        "the {product} is not what I ordered, so I am sending it back",
        "how many days do I have to return the {product}",
        "please send me a return label for the {product}",
        "I returned the {product} {when} and want my money back",
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
        "Please solve this right now",
        "I cannot work until this is solved",
        "Call me at once",
    ),
    "normal": (
        "Please look into it this week",
        "I would like to hear from you in the next few days",
        "Please get back to me soon",
        "Please let me know what to do",
        "Can you tell me what happens next",
    ),
    "low": (
        "There is no hurry",
        "Answer whenever you have time",
        "It can wait until next month",
        "I am just asking",
        "No need to rush",
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
