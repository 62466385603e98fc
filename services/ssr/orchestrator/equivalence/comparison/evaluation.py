"""The value of a formula at a point."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from ssr.orchestrator.equivalence.comparison.ball import Arithmetic, Ball, Number, OutOfReach, Undefined
from ssr.orchestrator.equivalence.reading.expression import Expression

_MAX_EXACT_FACTORIAL = 1000
_MAX_FACTORIAL = 10**9

#: What a node costs, in additions: powers and functions of inexact numbers are series.
_HEAVY = {"^": 6, "root": 6, "!": 8, "binom": 12, "num": 1, "var": 1, "const": 1, "+": 1, "neg": 1, "*": 1, "/": 1}


_INTEGERS = frozenset("klmnN")
#: What only a computer algebra system computes.
ENDLESS = 10**6
#: Terms of a sum with a bound that has no value yet.
_USUAL_TERMS = 30
#: Terms cost less than formulas: their arithmetic is mostly exact.
_TERMS_A_FORMULA = 4
_MAX_TERMS = 20_000
_MAX_BOUND_COST, _BOUND_BITS = 30, 160


def cost(tree: Expression) -> int:
    """About what an evaluation takes, in operations of some 10 µs; ENDLESS or more where it does not end."""
    if tree.op in ("int", "lim"):
        return ENDLESS
    if tree.op in ("sum", "prod"):
        return 1 + _terms(tree) * cost(tree.args[0]) // _TERMS_A_FORMULA
    return _HEAVY.get(tree.op, 4) + sum(map(cost, tree.args))


def _terms(tree: Expression) -> int:
    """About how many terms a sum or product has; ENDLESS where that may be very many."""
    bounds = tree.args[2:]
    if any(cost(bound) > _MAX_BOUND_COST for bound in bounds):
        return ENDLESS
    if not any(bound.names for bound in bounds):
        try:
            at = PointEvaluation(Arithmetic(_BOUND_BITS), {})
            low, high = (_integer(at.value(bound)) for bound in bounds)
        except (Undefined, OutOfReach):
            return ENDLESS
        return max(0, high - low + 1)
    return _USUAL_TERMS if tree.names <= _INTEGERS and all(map(_linear, bounds)) else ENDLESS


def _linear(bound: Expression) -> bool:
    """n, 2n, n+1: at the points that are looked at it is small."""
    if bound.op == "*":
        return bound.args[0].op == "num" and _linear(bound.args[1])
    return bound.op in ("num", "var") or (bound.op in ("+", "neg") and all(map(_linear, bound.args)))


class PointEvaluation:
    r"""Values at one point: every variable has a number. `log_base` is what a `\log` without a base means."""

    def __init__(self, arithmetic: Arithmetic, point: Mapping[str, Fraction], log_base: int | None = None) -> None:
        self._arithmetic, self._point, self._log_base = arithmetic, point, log_base
        of = arithmetic
        self._operations: dict[str, Callable[..., Number]] = {
            "+": of.add,
            "*": of.times,
            "/": of.over,
            "^": of.power,
            "neg": of.negative,
            "root": of.root,
            "abs": of.size,
            "exp": of.exp,
            "ln": of.log,
            "log": self._log,
            "floor": of.floor,
            "ceil": lambda a: -of.floor(of.negative(a)),
            "!": self._factorial,
            "binom": self._binomial,
            "mod": self._modulo,
            "sgn": self._sign,
            "max": lambda *all_: self._extreme(all_, largest=True),
            "min": lambda *all_: self._extreme(all_, largest=False),
            "gcd": lambda *all_: Fraction(math.gcd(*map(_integer, all_))),
            "lcm": lambda *all_: Fraction(math.lcm(*map(_integer, all_))),
            **self._circular(),
            **self._hyperbolic(),
        }

    def value(self, tree: Expression) -> Number:
        """Raises Undefined and OutOfReach."""
        if tree.op == "num":
            assert isinstance(tree.value, Fraction)
            return tree.value
        if tree.op == "var":
            return self._point[str(tree.value)]
        if tree.op == "const":
            return self._constant(str(tree.value))
        if tree.op in ("sum", "prod"):
            return self._series(tree)
        if tree.op not in self._operations:
            raise OutOfReach(f"no value for {tree.op!r}")
        arguments = [self.value(arg) for arg in tree.args]
        try:
            return self._operations[tree.op](*arguments)
        except (TypeError, ZeroDivisionError, OverflowError) as error:  # arguments too many, or a pole
            raise Undefined(f"no value of {tree.op!r}") from error

    def _series(self, tree: Expression) -> Number:
        """A sum or a product, term by term."""
        body, bound, *bounds = tree.args
        low, high = (_integer(self.value(bound)) for bound in bounds)
        if high - low > _MAX_TERMS:
            raise OutOfReach("a sum of too many terms")
        if high < low - 1:
            raise Undefined("a sum from a number to one below it")
        of, at = self._arithmetic, copy.copy(self)
        operation, total = (of.add, Fraction(0)) if tree.op == "sum" else (of.times, Fraction(1))
        result: Number = total
        for number in range(low, high + 1):
            at._point = {**self._point, str(bound.value): Fraction(number)}
            result = operation(result, at.value(body))
        return result

    def _constant(self, name: str) -> Number:
        mp = self._arithmetic.mp
        if name == "i":
            return Ball(mp.mpc(0, 1), mp.zero)
        if name == "inf":
            raise Undefined("infinity is no number")
        return self._arithmetic.rounded(+mp.pi if name == "pi" else +mp.e)

    def _log(self, a: Number, base: Number | None = None) -> Number:
        of = self._arithmetic
        if base is None:
            base = None if self._log_base is None else Fraction(self._log_base)
        return of.log(a) if base is None else of.over(of.log(a), of.log(base))

    def _factorial(self, a: Number) -> Number:
        of = self._arithmetic
        if isinstance(a, Fraction) and a.denominator == 1:
            n = a.numerator
            if n < 0:
                raise Undefined("the factorial of a negative number")
            if n <= _MAX_EXACT_FACTORIAL:
                return of.exactly(Fraction(math.factorial(n)))
            if n > _MAX_FACTORIAL:
                raise OutOfReach("a factorial too large")
            return of.rounded(of.mp.factorial(n), abs(of.mp.factorial(n)) * of.mp.mpf(2) ** (60 - of.mp.prec))
        x = of.ball(a)
        if abs(x.value) > _MAX_EXACT_FACTORIAL:
            raise OutOfReach("a factorial too large")
        value = of.mp.gamma(x.value + 1)
        return of.rounded(value, abs(value) * (x.error * 10 + of.mp.mpf(2) ** (60 - of.mp.prec)))

    def _binomial(self, n: Number, k: Number) -> Number:
        small = all(isinstance(a, Fraction) and a.denominator == 1 for a in (n, k))
        if small and 0 <= _integer(n) <= _MAX_EXACT_FACTORIAL and _integer(k) >= 0:
            return self._arithmetic.exactly(Fraction(math.comb(_integer(n), _integer(k))))
        of = self._arithmetic
        below = of.times(self._factorial(k), self._factorial(of.add(n, of.negative(k))))
        return of.over(self._factorial(n), below)

    def _modulo(self, a: Number, b: Number) -> Number:
        if not isinstance(a, Fraction) or not isinstance(b, Fraction):
            raise OutOfReach("a remainder of inexact numbers")
        return a % b

    def _sign(self, a: Number) -> Number:
        of = self._arithmetic
        if a != 0 and not (of.is_negative(a) or of.is_positive(a)):
            raise OutOfReach("a sign that is not known")
        return Fraction(0 if a == 0 else -1 if of.is_negative(a) else 1)

    def _extreme(self, numbers: tuple[Number, ...], *, largest: bool) -> Number:
        of, best = self._arithmetic, numbers[0]
        for number in numbers[1:]:
            below = of.is_negative(of.add(best, of.negative(number)))
            if not below and not of.is_positive(of.add(best, of.negative(number))) and of.differ(best, number):
                raise Undefined("complex numbers have no order")
            best = number if below == largest else best
        return best

    def _circular(self) -> dict[str, Callable[..., Number]]:
        of, mp = self._arithmetic, self._arithmetic.mp
        one = Fraction(1)

        def sin(a: Number) -> Number:
            return Fraction(0) if a == 0 else of.smooth(mp.sin, mp.cos, a)

        def cos(a: Number) -> Number:
            return one if a == 0 else of.smooth(mp.cos, mp.sin, a)

        return {
            "sin": sin,
            "cos": cos,
            "tan": lambda a: of.over(sin(a), cos(a)),
            "cot": lambda a: of.over(cos(a), sin(a)),
            "sec": lambda a: of.over(one, cos(a)),
            "csc": lambda a: of.over(one, sin(a)),
            "arcsin": lambda a: self._inverse(mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), a),
            "arccos": lambda a: self._inverse(mp.acos, lambda x: 1 / mp.sqrt(1 - x * x), a),
            "arctan": lambda a: self._inverse(mp.atan, lambda x: 1 / (1 + x * x), a),
            "arccot": lambda a: self._inverse(mp.acot, lambda x: 1 / (1 + x * x), a),
            "arcsec": lambda a: self._inverse(mp.acos, lambda x: 1 / mp.sqrt(1 - x * x), of.over(one, a)),
            "arccsc": lambda a: self._inverse(mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), of.over(one, a)),
        }

    def _hyperbolic(self) -> dict[str, Callable[..., Number]]:
        of, mp = self._arithmetic, self._arithmetic.mp

        def half(a: Number, sign: int) -> Number:
            return of.over(of.add(of.exp(a), of.times(Fraction(sign), of.exp(of.negative(a)))), Fraction(2))

        return {
            "sinh": lambda a: half(a, -1),
            "cosh": lambda a: half(a, 1),
            "tanh": lambda a: of.over(half(a, -1), half(a, 1)),
            "coth": lambda a: of.over(half(a, 1), half(a, -1)),
            "arsinh": lambda a: self._inverse(mp.asinh, lambda x: 1 / mp.sqrt(x * x + 1), a),
            "arcosh": lambda a: self._inverse(mp.acosh, lambda x: 1 / mp.sqrt(x * x - 1), a),
            "artanh": lambda a: self._inverse(mp.atanh, lambda x: 1 / (1 - x * x), a),
        }

    def _inverse(self, function: Callable[..., object], slope: Callable[..., object], a: Number) -> Number:
        """An inverse function: at the ends of its range, where the slope has no bound, exact arguments alone."""
        of = self._arithmetic
        x = of.ball(a)
        if not x.error:
            return of.rounded(function(x.value), of.mp.mpf(2) ** (4 - of.mp.prec))
        return of.smooth(function, slope, a)


def _integer(a: Number) -> int:
    if not isinstance(a, Fraction) or a.denominator != 1:
        raise Undefined("not an integer")
    return a.numerator
