"""Words around numbers: units, and words that change what a number means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: A number with such a word is another number.
_CHANGING = _words("""
    more less fewer than dozen dozens hundred hundreds thousand thousands million millions billion billions trillion
    half halves third thirds quarter quarters fourth fourths fifth fifths sixth sixths eighth eighths tenth tenths
    hundredth hundredths squared cubed factorial plus minus and or remainder choose mod modulo by over divided
    multiplied subtracted added increased decreased twice double doubled triple score pair pairs couple couples power
    above below of if is was are equals equal r
""")
#: A number after such a word is a part of something that stands before it.
_TAKING = _words("""
    of than times by from and to plus minus over per half twice double triple thrice quarter third squared cubed choose
    mod modulo into sum product difference quotient average mean ratio log ln sin cos tan sqrt root gcd lcm gcf max min
    if not or until divided multiplied subtract add subtracting adding less more every
    one two three four five six seven eight nine ten eleven twelve
""")
#: A number after such a word may be its own.
_LABELS = _words(
    "step day week month year case option part question room number no phase stage problem page group round"
)
#: An equation in a clause with such a word may be meant to be false, or to be rounded.
DOUBTFUL = _words("""
    not wrong incorrect incorrectly mistake mistaken mistakenly error false suppose supposing assume assumes assuming
    guess try trying contradiction impossible would cannot never instead modulo mod base
    about approximately approx around roughly rounded rounding round nearly almost full whole complete floor ceiling
""")
_SHORT_UNITS = _words("cm mm km kg mg lb lbs oz ft in yd mi hr hrs min mins sec ml mph kph gb mb kb cl dl am pm a an")
#: Units of which there are larger and smaller ones, one unit a line.
_QUANTITIES = {
    "time": """
        second seconds sec secs
        minute minutes min mins
        hour hours hr hrs
        day days
        week weeks
        month months
        year years yr yrs
        decade decades
        century centuries""",
    "length": """
        mm millimeter millimeters
        cm centimeter centimeters
        inch inches in
        foot feet ft
        yard yards yd
        mile miles mi
        meter meters metre metres
        km kilometer kilometers""",
    "mass": """
        mg milligram milligrams
        gram grams
        kg kilogram kilograms
        ounce ounces oz
        pound pounds lb lbs
        ton tons""",
    "volume": """
        ml milliliter milliliters
        liter liters litre litres
        cup cups
        pint pints
        quart quarts
        gallon gallons
        teaspoon teaspoons
        tablespoon tablespoons""",
    "money": """
        $ dollar dollars
        cent cents ¢""",
    "coins": """
        penny pennies
        nickel nickels
        dime dimes""",
}
#: Word -> its quantity, and one name for the unit.
_UNITS = {
    word: (quantity, names.split()[0])
    for quantity, units in _QUANTITIES.items()
    for names in units.strip().splitlines()
    for word in names.split()
}
#: How many of one of its units may be in another one.
_FACTORS = {
    "time": frozenset({2, 4, 5, 7, 10, 12, 20, 24, 28, 30, 31, 52, 60, 100, 168, 360, 365, 1440, 3600}),
    "length": frozenset({3, 10, 12, 36, 100, 1000, 1760, 5280}),
    "mass": frozenset({16, 1000, 2000}),
    "volume": frozenset({2, 3, 4, 8, 16, 48, 128, 1000}),
    "money": frozenset({100}),
    "coins": frozenset({2, 5, 10, 20, 25, 100}),
}


def is_unit(words: Sequence[str], *, glued: bool) -> bool:
    """Whether words right after a number only say what is counted; `glued`: no blank before them, as in 5kg."""
    plain = [word.casefold().partition("^")[0] for word in words]
    if plain[0] in _CHANGING or any(word in _CHANGING and word != "of" for word in plain):
        return False
    if glued and len(plain[0]) < 3 and plain[0] not in _SHORT_UNITS and plain[0] != "/":
        return False
    return all(len(word) > 2 or word in _SHORT_UNITS or word in ("/", "of", "at") for word in plain)


def is_label(word: str) -> bool:
    """Whether a number after the word may say which one it is."""
    return word.casefold() in _LABELS


def may_precede(word: str) -> bool:
    """Whether an expression can begin after this word; a letter is a variable."""
    return len(word) > 1 and word.casefold() not in _TAKING


def may_follow(word: str) -> bool:
    """Whether an expression keeps its value before this word."""
    word = word.casefold()
    return word == "a" or (len(word) > 1 and word not in _CHANGING and word != "times")


def convertible(words: Iterable[str]) -> bool:
    """Whether any is a unit of which there are larger and smaller ones."""
    return any(word.casefold() in _UNITS for word in words)


def mixed(words: Iterable[str]) -> bool:
    """Whether two units of one quantity are among the words."""
    units = {_UNITS[word.casefold()] for word in words if word.casefold() in _UNITS}
    return len(units) > len({quantity for quantity, _ in units})


def is_conversion(left: Fraction, right: Fraction, words: Iterable[str]) -> bool:
    """Whether the numbers may be the same quantity in two units of those that are among the words."""
    if left == 0 or right == 0:
        return False
    factors = [_FACTORS[_UNITS[word.casefold()][0]] for word in words if word.casefold() in _UNITS]
    return any(left / right in known or right / left in known for known in factors)
