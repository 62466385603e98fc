"""Kinds of pairs whose values count or measure something: money, units, shares, times, ratios."""

from __future__ import annotations

import random

from ssr_bench.equivalence.notations import Ways, words


def money(dice: random.Random) -> Ways:
    n = dice.randint(2, 900)

    def ways(k: int) -> list[str]:
        return [f"{k} dollars", rf"\${k}", f"{k} USD", f"${k}", f"{k}", rf"\${k}.00", rf"{k}\text{{ dollars}}"]

    return ways(n), [*ways(n + 1), rf"\${n}.50"]


def measure(dice: random.Random) -> Ways:
    n = dice.randint(2, 90)
    units = [
        (["hours", "hr", r"\text{ hours}"], ["minutes", "days"]),
        (["cm", "centimeters", r"\text{ cm}", r"\,\mathrm{cm}"], ["m", "km", "cm^2"]),
        ([r"\text{ cm}^2", "square centimeters", "cm²", "cm^2"], ["cm^3", "square meters"]),
        (["km/h", "kilometers per hour", r"\text{ km/h}"], ["mph", "km"]),
        (["apples", r"\text{ apples}", "apples in total"], ["oranges"]),
        (["kg", "kilograms", r"\text{ kg}"], ["grams", "pounds"]),
        ([r"^\circ", "°", " degrees"], [" radians", "%"]),
    ]
    good, bad = dice.choice(units)
    ways = [f"{n}{unit}" if unit[0] in "\\^°" else f"{n} {unit}" for unit in good]
    return ways, [f"{n} {unit.strip()}" for unit in bad] + [way.replace(str(n), str(n + 1)) for way in ways]


def percent(dice: random.Random) -> Ways:
    n = dice.randint(1, 99)

    def ways(k: int) -> list[str]:
        return [rf"{k}\%", f"{k}%", f"{k} percent", rf"{k} \%", f"{k}.0%", f"{words(k)} percent"]

    return ways(n), [*ways(n + 1), f"{n}.5%"]


def time(dice: random.Random) -> Ways:
    hour, minute = dice.randint(1, 11), dice.randint(0, 59)

    def ways(m: int) -> list[str]:
        found = [f"{hour}:{m:02d} pm", f"{hour + 12}:{m:02d}", f"{hour}:{m:02d} p.m.", f"{hour}:{m:02d} PM"]
        return [*found, rf"{hour}:{m:02d}\text{{ p.m.}}", rf"\text{{{hour}:{m:02d} PM}}"]

    return ways(minute), [*ways((minute + 1) % 60), f"{hour}:{minute:02d} am"]


def date(dice: random.Random) -> Ways:
    months = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
    month, day, year = dice.randint(1, 10), dice.randint(1, 27), dice.randint(1950, 2030)

    def ways(d: int) -> list[str]:
        name = months[month - 1]
        found = [f"{name} {d}, {year}", f"{d} {name} {year}", f"{year}-{month:02d}-{d:02d}", f"{month}/{d}/{year}"]
        return [*found, rf"\text{{{name} {d}, {year}}}"]

    return ways(day), ways(day + 1)


def duration(dice: random.Random) -> Ways:
    hours, minutes = dice.randint(1, 9), dice.randint(1, 59)

    def ways(m: int) -> list[str]:
        total = 60 * hours + m
        found = [f"{hours} hours {m} minutes", f"{hours}h {m}min", f"{hours} hours, {m} minutes", f"{total} minutes"]
        return [*found, f"{hours} hours and {m} minutes", rf"{total}\text{{ min}}", rf"{60 * total}\,\mathrm{{s}}"]

    return ways(minutes), [*ways(minutes + 1), f"{hours} hours", f"{minutes} minutes"]


def ratio(dice: random.Random) -> Ways:
    a, b = dice.sample(range(1, 20), 2)
    ways = [f"{a}:{b}", f"{a} : {b}", f"{2 * a}:{2 * b}", f"{a} to {b}", rf"\text{{{a} to {b}}}", rf"{a}\!:\!{b}"]
    return ways, [f"{b}:{a}", f"{a} to {a + b}", f"{a + 1}:{b + 3}" if a * (b + 3) != b * (a + 1) else f"{a}:{b + 1}"]
