"""Phrases that answers consist of: no solution, does not exist, all real numbers but some."""

from __future__ import annotations

import re

# Articles; not the A of "Plan A".
_FILLERS = re.compile(r"\b(?:[Tt]he|THE|an?)\s+(?=\w)|^\s*An?\s+(?=\w)")
_BEGINNING = re.compile(
    r"^(?:(?:so|thus|hence|therefore),?\s+)?(?:(?:it|this|that)\s+is\s+(?=\w)|it's\s+(?=\w)|on\s+(?=\w+day$)|there\s(?:is|are)\s+(?=no\b))"
)
_NO_SOLUTION = re.compile(
    r"(?:(?:there (?:is|are|exists?)|(?:equation|system|inequality)(?: has)?|it has|has|have) )?"
    r"no (?P<real>real )?solutions?"
    r"(?: exists?| to (?:equation|system))?"
)
_INFINITELY_MANY = re.compile(
    r"(?:there are |has |it has )?(?:infinite|infinitely many|infinite number of)(?: solutions)?"
)
_NOWHERE = re.compile(
    r"(?:limit |it |value |expression |answer )?"
    r"(?:(?:is )?(?:undefined|not defined)|(?:does not|doesn't|do not) exist|dne|d\.n\.e)"
)
_EMPTY_SETS = ("empty set", "null set")
_REALS = r"(?:for )?(?:set of )?(?:all|any|every)(?: of)?(?: the)? real(?:s| numbers?| values?)?(?: (?:of )?[a-z])?"
_ALL_REALS = re.compile(rf"(?:[a-z] (?:is|can be) )?{_REALS}|real numbers")
_BUT = re.compile(rf"{_REALS},? (?:except|but|other than)(?: for)?(?: when)? (?:[a-z] ?= ?)?(?P<rest>[^=]+)")
_BOUNDED = re.compile(
    rf"{_REALS} (?:that are )?(?P<side>less|greater|smaller|larger) than (?P<also>or equal to )?(?P<rest>[^=<>]+)"
)


def phrase_of(text: str) -> str | None:
    """A phrase that means one thing in many words, in one way to say it; None for other texts."""
    lower = _BEGINNING.sub("", without_articles(text).lower().strip(" .!"))
    if found := _NO_SOLUTION.fullmatch(lower):
        return "no real solution" if found["real"] else "no solution"
    if _INFINITELY_MANY.fullmatch(lower):
        return "infinitely many"
    return "does not exist" if _NOWHERE.fullmatch(lower) else None


def set_of(text: str) -> str | None:
    r"""The set that is named in words, in LaTeX: \emptyset, \mathbb{R}, \mathbb{R} \setminus \{1\}, x < 3."""
    lower = without_articles(text).lower().strip(" .!")
    if lower in _EMPTY_SETS:
        return r"\emptyset"
    if _ALL_REALS.fullmatch(lower):
        return r"\mathbb{R}"
    if found := _BUT.fullmatch(lower):
        return rf"\mathbb{{R}} \setminus \{{{re.sub(r' and | or ', ', ', found['rest'])}\}}"
    if found := _BOUNDED.fullmatch(lower):
        sign = "<" if found["side"] in ("less", "smaller") else ">"
        also = {"<": r"\le", ">": r"\ge"}[sign] if found["also"] else sign
        return f"x {also} {found['rest']}"
    return None


def words_of(text: str) -> str:
    """Words without case, articles, commas, and what only leads up to them."""
    lower = without_articles(text).lower().replace(",", " ").strip(" .!")
    return " ".join(_BEGINNING.sub("", " ".join(lower.split())).split())


def without_articles(text: str) -> str:
    return _FILLERS.sub("", text)
