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
        "the monthly fee for the {product} plan went up {when}",
        "tax was added two times to the bill for the {product}",
        "the payment for the {product} failed but the money is gone",
        "I would like to pay for the {product} in three parts",
        "my credit for the {product} does not show on the invoice",
        "you still bill me for a {product} plan that I ended {when}",
    ),
    "shipping": (
        "my {product} has not arrived yet",
        "the courier left the {product} at the wrong address {when}",
        "the parcel with the {product} has been on the way since {when}",
        "the tracking page for my {product} has not moved since {when}",
        "I want to change the delivery address for the {product}",
        "the box was empty when the {product} was delivered {when}",
        "the {product} was sent to my old street",
        "can the {product} be delivered in the evening",
        "the driver did not ring and took the {product} back {when}",
        "only half of my parcel came and the {product} is missing",
        "how long does delivery of the {product} to an island take",
        "the {product} should have been delivered {when}",
    ),
    "accounts": (
        "I forgot the password for my {product} account",
        "I cannot log in to my {product} profile since {when}",
        "please change the name on my {product} account",
        "the code to sign in to the {product} account never comes",
        "my {product} account was locked {when}",
        "please delete my {product} profile and all my data",
        "I want to move my {product} account to a new user name",
        "someone else signed in to my {product} account {when}",
        "how do I add a second user to the {product} account",
        "the link to reset my {product} password does not open",
        "I have two {product} profiles and want to join them",
        "the sign in page says that my {product} user is not known",
    ),
    "technical": (
        "the {product} does not turn on any more",
        "the screen of the {product} went black {when}",
        "my {product} loses its connection every few minutes",
        "the {product} shows an error after the update {when}",
        "the battery of the {product} is empty after one hour",
        "the {product} makes a strange noise when it starts",
        "my {product} is very slow since {when}",
        "the software of the {product} crashes when I save",
        "the {product} gets very hot while it is charging",
        "how do I connect the {product} to my computer",
        "the buttons on the {product} stopped working {when}",
        "the {product} restarts by itself again and again",
    ),
    "returns": (
        "I want to send the {product} back",
        "I would like to exchange the {product} for another colour",
        "the {product} is not what I ordered, so I am sending it back",
        "how many days do I have to return the {product}",
        "please send me a return label for the {product}",
        "I returned the {product} {when} and want my money back",
        "the {product} came with a crack and I want a new one",
        "can I return the {product} in one of your shops",
        "I changed my mind about the {product} that I ordered {when}",
        "when do I get the refund for the {product} I sent back {when}",
        "I got a used {product} and want to exchange it",
        "the {product} was a gift and I would like to give it back",
    ),
}
"""Team → what is wrong, in lower case and without a full stop."""

PRODUCTS: dict[str, tuple[str, ...]] = {
    "tablet": ("tablet", "new tablet", "small tablet", "Nova tablet", "tablet for children"),
    "router": ("router", "home router", "Orbit router", "router in my office", "white router"),
    "camera": ("camera", "door camera", "Lumen camera", "camera for the garden", "old camera"),
    "printer": ("printer", "Quill printer", "printer at work", "colour printer", "big printer"),
    "watch": ("watch", "sports watch", "Pulse watch", "watch for my son", "silver watch"),
}

URGENCY: dict[str, tuple[str, ...]] = {
    "high": (
        "This is urgent",
        "I need an answer today",
        "Please solve this right now",
        "I cannot work until this is solved",
        "This is the third time I write to you and I am angry",
        "It must be done before tonight",
        "This is an emergency",
        "Call me at once",
        "My business stands still because of this",
        "I will go to a lawyer if nothing happens today",
    ),
    "normal": (
        "Please look into it this week",
        "I would like to hear from you in the next few days",
        "Please get back to me soon",
        "Could you check this for me",
        "I look forward to your reply",
        "Please let me know what to do",
        "Some help with this would be welcome",
        "Can you tell me what happens next",
        "Please have a look at it",
        "What should I do now",
    ),
    "low": (
        "There is no hurry",
        "Answer whenever you have time",
        "It can wait until next month",
        "This is only a small thing",
        "I am just asking",
        "It is not important, but I wanted to tell you",
        "Take all the time you need",
        "I do not mind waiting",
        "No need to rush",
        "Put it at the end of your list",
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
