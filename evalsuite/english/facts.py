"""Facts that are sure: short questions with one short answer, by kind."""

from __future__ import annotations

CAPITALS = """\
Albania Tirana|Algeria Algiers|Angola Luanda|Argentina Buenos Aires|Armenia Yerevan|Austria Vienna
Azerbaijan Baku|Bangladesh Dhaka|Belgium Brussels|Bulgaria Sofia|Cambodia Phnom Penh|Canada Ottawa
Chile Santiago|China Beijing|Croatia Zagreb|Cuba Havana|Cyprus Nicosia
Denmark Copenhagen|Ecuador Quito|Egypt Cairo|Estonia Tallinn|Ethiopia Addis Ababa|Finland Helsinki
France Paris|Georgia Tbilisi|Germany Berlin|Ghana Accra|Greece Athens|Hungary Budapest
India New Delhi|Iran Tehran|Iraq Baghdad|Ireland Dublin|Italy Rome
Jamaica Kingston|Japan Tokyo|Jordan Amman|Kenya Nairobi|Laos Vientiane|Latvia Riga|Lebanon Beirut
Libya Tripoli|Lithuania Vilnius|Madagascar Antananarivo|Mali Bamako|Malta Valletta
Mexico Mexico City|Morocco Rabat|Mozambique Maputo|Nepal Kathmandu
Nicaragua Managua|Norway Oslo|Oman Muscat|Pakistan Islamabad|Peru Lima
Philippines Manila|Poland Warsaw|Portugal Lisbon|Qatar Doha|Romania Bucharest|Russia Moscow
Senegal Dakar|Serbia Belgrade|Slovakia Bratislava|Slovenia Ljubljana|Spain Madrid|Sudan Khartoum
Sweden Stockholm|Switzerland Bern|Syria Damascus|Thailand Bangkok|Tunisia Tunis|Turkey Ankara
Uganda Kampala|Uruguay Montevideo|Venezuela Caracas|Vietnam Hanoi|Zambia Lusaka
Zimbabwe Harare"""
"""Country and capital; a country is one word. Left out: what is disputed or has moved lately."""

ELEMENTS = """\
hydrogen H|helium He|lithium Li|beryllium Be|boron B|carbon C|nitrogen N|oxygen O|fluorine F|neon Ne
sodium Na|magnesium Mg|aluminium Al|silicon Si|phosphorus P|sulfur S|chlorine Cl|argon Ar
potassium K|calcium Ca|titanium Ti|chromium Cr|manganese Mn|iron Fe|cobalt Co|nickel Ni|copper Cu
zinc Zn|arsenic As|bromine Br|krypton Kr|silver Ag|tin Sn|iodine I|barium Ba|tungsten W|platinum Pt
gold Au|mercury Hg|lead Pb|radium Ra|uranium U|plutonium Pu"""
"""Element and symbol."""

OPPOSITES = """\
hot cold|long short|high low|early late|full empty|heavy light|fast slow
wet dry|happy sad|rich poor|strong weak|young old|thick thin|wide narrow|deep shallow
rough smooth|cheap expensive|true false|north south|east west
first last|inside outside|above below|buy sell|win lose|push pull|love hate
remember forget|increase decrease|appear disappear|laugh cry|attack defend|day night
success failure|question answer|war peace|ancient modern|guilty innocent
alive dead|public private|temporary permanent|maximum minimum|entrance exit
summer winter|front back|always never|everything nothing|left right"""
"""A word and its opposite."""

YOUNG = """\
dog puppy|cat kitten|cow calf|horse foal|sheep lamb|duck duckling|goose gosling|frog tadpole
kangaroo joey|swan cygnet|pig piglet|lion cub|deer fawn|goat kid"""
"""An animal and what its young is called."""

PLURALS = """\
child children|mouse mice|goose geese|tooth teeth|foot feet|man men|woman women|ox oxen|leaf leaves
knife knives|wolf wolves|life lives|half halves|thief thieves|loaf loaves|crisis crises
analysis analyses|criterion criteria|phenomenon phenomena|wife wives
shelf shelves|calf calves|hypothesis hypotheses|nucleus nuclei|stimulus stimuli"""
"""A noun and its irregular plural."""

PASTS = """\
go went|buy bought|teach taught|bring brought|catch caught|fly flew|swim swam|write wrote
speak spoke
eat ate|drink drank|begin began|break broke|choose chose|drive drove|fall fell|feel felt|find found
freeze froze|give gave|grow grew|hear heard|hold held|keep kept|know knew|leave left|lose lost
make made|meet met|ride rode|run ran|see saw|sell sold|send sent|sing sang|sleep slept|stand stood
steal stole|take took|tell told|think thought|throw threw|wear wore|win won"""
"""A verb and its simple past."""

NUMBERS = (
    ("How many minutes are there in an hour?", "60"),
    ("How many seconds are there in a minute?", "60"),
    ("How many hours are there in a day?", "24"),
    ("How many days are there in a week?", "7"),
    ("How many months are there in a year?", "12"),
    ("How many days does a leap year have?", "366"),
    ("How many metres are there in a kilometre?", "1000"),
    ("How many grams are there in a kilogram?", "1000"),
    ("How many centimetres are there in a metre?", "100"),
    ("How many millimetres are there in a centimetre?", "10"),
    ("How many millilitres are there in a litre?", "1000"),
    ("How many inches are there in a foot?", "12"),
    ("How many feet are there in a yard?", "3"),
    ("How many ounces are there in a pound?", "16"),
    ("How many bits are there in a byte?", "8"),
    ("How many sides does a hexagon have?", "6"),
    ("How many sides does a pentagon have?", "5"),
    ("How many sides does an octagon have?", "8"),
    ("How many degrees does a right angle have?", "90"),
    ("How many degrees do the angles of a triangle have together?", "180"),
    ("How many degrees does a full circle have?", "360"),
    ("How many faces does a cube have?", "6"),
    ("How many edges does a cube have?", "12"),
    ("How many legs does a spider have?", "8"),
    ("How many legs does an insect have?", "6"),
    ("How many strings does a violin have?", "4"),
    ("How many squares does a chessboard have?", "64"),
    ("How many players does a football team have on the pitch at the start?", "11"),
    ("How many letters does the English alphabet have?", "26"),
    ("How many planets does the solar system have?", "8"),
    ("How many years are there in a century?", "100"),
    ("How many years are there in a decade?", "10"),
    ("How many items are there in a dozen?", "12"),
    ("At how many degrees Celsius does water freeze at sea level?", "0"),
    ("At how many degrees Celsius does water boil at sea level?", "100"),
)
"""Questions whose answer is a number."""

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def pairs(table: str) -> list[tuple[str, str]]:
    """Return a table's pairs: what is asked about is one word, the answer is the rest.

    >>> pairs("Chile Santiago|India New Delhi")
    [('Chile', 'Santiago'), ('India', 'New Delhi')]
    """
    found = [entry.split(" ", 1) for entry in table.replace("\n", "|").split("|")]
    return [(asked, answer) for asked, answer in found]
