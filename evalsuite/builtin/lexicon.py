"""Word lists from which prompts are made. Plain data; every list is in a fixed order."""
# ruff: noqa: SIM905  (a word list reads better as words)

from __future__ import annotations

COMMON = tuple(
    """
    apple arrow autumn baker balloon basket beach bird blue boat bottle branch bread bridge bright
    brown butter button camera candle carpet castle chair cheese cherry city clean clock cloud coat
    coffee cold corner cotton cousin curtain dance dark desk dinner doctor dog door dream drum east
    empty engine evening family farm feather fence field finger fire fish flag floor flower forest
    fork fox friend frog fruit garden gate gentle ghost glass gold grass green guitar hammer happy
    harbour hat heavy hill honey horse hotel house ice ink island jacket jam judge juice jungle key
    kind king kitchen kite ladder lake lamp leaf lemon letter light lion little loud lunch map
    market meadow melon metal milk mirror money moon morning mountain mouse museum music needle
    nest night north novel ocean office old onion orange oven owl paint paper park path pear pencil
    pepper piano picture pillow pilot planet plate pocket poem pond potato purple queen quiet rabbit
    rain red ribbon rice river road robin roof room rose round sad salt sand school sea seed
    shadow sheep shell shirt short silver sister sky small smile smoke snow soap sock soft song soup
    spoon spring square star stone storm story street sugar summer sun sweet table tall tea teacher
    tent thunder tiger tomato tower train tree uncle valley village violin voice wall warm
    watch water wave west wheel white wide wind window winter wolf wood wool yellow young
    """.split()
)

UPPER = tuple(
    """
    apple bird blue boat bread bridge brown butter chair city clock cloud coat coffee cold dance
    dark door dream evening farm field fire fish flower forest friend garden glass gold green happy
    hill horse house island key king kitchen lake leaf letter light market milk money moon morning
    music night north orange paper picture queen rain red river road school sea silver sky small
    snow song
    """.split()
)

CAPITALS = {
    "Argentina": "Buenos Aires",
    "Australia": "Canberra",
    "Austria": "Vienna",
    "Bangladesh": "Dhaka",
    "Belgium": "Brussels",
    "Bolivia": "Sucre",
    "Brazil": "Brasilia",
    "Bulgaria": "Sofia",
    "Cambodia": "Phnom Penh",
    "Canada": "Ottawa",
    "Chile": "Santiago",
    "China": "Beijing",
    "Colombia": "Bogota",
    "Croatia": "Zagreb",
    "Cuba": "Havana",
    "Denmark": "Copenhagen",
    "Ecuador": "Quito",
    "Egypt": "Cairo",
    "Estonia": "Tallinn",
    "Ethiopia": "Addis Ababa",
    "Finland": "Helsinki",
    "France": "Paris",
    "Germany": "Berlin",
    "Ghana": "Accra",
    "Greece": "Athens",
    "Hungary": "Budapest",
    "Iceland": "Reykjavik",
    "India": "New Delhi",
    "Indonesia": "Jakarta",
    "Iran": "Tehran",
    "Iraq": "Baghdad",
    "Ireland": "Dublin",
    "Italy": "Rome",
    "Jamaica": "Kingston",
    "Japan": "Tokyo",
    "Jordan": "Amman",
    "Kenya": "Nairobi",
    "Latvia": "Riga",
    "Lebanon": "Beirut",
    "Lithuania": "Vilnius",
    "Malaysia": "Kuala Lumpur",
    "Mexico": "Mexico City",
    "Mongolia": "Ulaanbaatar",
    "Morocco": "Rabat",
    "Nepal": "Kathmandu",
    "Netherlands": "Amsterdam",
    "New Zealand": "Wellington",
    "Norway": "Oslo",
    "Pakistan": "Islamabad",
    "Peru": "Lima",
    "Philippines": "Manila",
    "Poland": "Warsaw",
    "Portugal": "Lisbon",
    "Romania": "Bucharest",
    "Serbia": "Belgrade",
    "Slovenia": "Ljubljana",
    "South Korea": "Seoul",
    "Spain": "Madrid",
    "Sweden": "Stockholm",
    "Thailand": "Bangkok",
    "Tunisia": "Tunis",
    "Turkey": "Ankara",
    "Uruguay": "Montevideo",
    "Vietnam": "Hanoi",
}

NAMES = tuple(
    """
    Anna Ben Carla David Emma Felix Grace Hugo Ines Jack Karen Leo Maria Nora Oscar Paula Rosa Sam
    Tom Vera
    """.split()
)
THINGS = tuple(
    """
    apples books coins cups eggs keys lemons maps marbles onions pears pencils plums roses shells
    stamps stones tickets
    """.split()
)

MONTHS = tuple(
    """
    January February March April May June July August September October November December
    """.split()
)

REVIEWED = tuple(
    """
    film book meal hotel concert game room song trip lesson museum party coffee garden service
    story soup train beach market
    """.split()
)
POSITIVE = tuple(
    """
    wonderful great lovely excellent brilliant perfect delightful superb pleasant amazing charming
    enjoyable fantastic impressive good beautiful
    """.split()
)
NEGATIVE = tuple(
    """
    terrible awful dreadful boring horrible disappointing poor dull annoying unpleasant miserable
    bad rude dirty broken useless
    """.split()
)
ASIDES = (
    "we went there on Monday",
    "it was near the station",
    "my sister came along",
    "it lasted two hours",
    "we saw it last week",
    "it was in the old town",
    "there were many people",
    "my friend told me about it",
    "we stayed until the evening",
    "it was our second time",
    "it began in the morning",
    "we paid at the door",
)

JSON_JOINTS = ('{"', '"}', '":"', '","', '"', "{", "}", ":", ",")
"""Punctuation that JSON needs, seen in pre-training only as things to copy, never as an object."""
