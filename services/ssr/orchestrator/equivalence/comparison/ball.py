"""Arithmetic with errors: a value is a ball, and the true one is inside it.

So two values that differ are known to differ, however small they are, and only values that no precision distinguishes
are taken for equal. Rational numbers stay exact as long as they are of a reasonable size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from mpmath.ctx_mp import MPContext

#: An exact number of more bits is rounded to a ball.
MAX_EXACT_BITS = 8192
#: A number over 2 to this power, or below its reciprocal, is out of reach.
_MAX_MAGNITUDE = 1 << 40


class Undefined(Exception):
    """The expression has no value here (a division by zero, a function outside its domain)."""


class OutOfReach(Exception):
    """The value is too large or too little known for the arithmetic there is time for."""


@dataclass(frozen=True, slots=True)
class Ball:
    """A complex number and how far the true one may be from it; both mpmath's, of one context."""

    value: Any
    error: Any


Number = Fraction | Ball


class Arithmetic:
    """Operations on numbers, with `bits` of precision where they are not exact."""

    def __init__(self, bits: int) -> None:
        self.mp = MPContext()
        self.mp.prec = bits
        self._eps = self.mp.mpf(2) ** (4 - bits)

    def ball(self, a: Number) -> Ball:
        if isinstance(a, Ball):
            return a
        value = self.mp.mpf(a.numerator) / a.denominator
        exact = a.denominator == 1 and a.numerator.bit_length() <= self.mp.prec
        return Ball(value, self.mp.zero if exact else abs(value) * self._eps)

    def rounded(self, value: Any, error: Any = 0) -> Ball:
        """A value that was computed to the last bits, on top of the `error` that came in."""
        if not self.mp.isfinite(value):
            raise Undefined("not a finite number")
        return Ball(value, error + abs(value) * self._eps)

    def exactly(self, value: Fraction) -> Number:
        """Exact if that is affordable."""
        small = max(value.numerator.bit_length(), value.denominator.bit_length()) <= MAX_EXACT_BITS
        return value if small else self.ball(value)

    def add(self, a: Number, b: Number) -> Number:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return self.exactly(a + b)
        x, y = self.ball(a), self.ball(b)
        # The sum's own rounding is that of its terms: they may cancel.
        slack = (abs(x.value) + abs(y.value)) * self._eps
        return Ball(x.value + y.value, x.error + y.error + slack)

    def negative(self, a: Number) -> Number:
        return -a if isinstance(a, Fraction) else Ball(-a.value, a.error)

    def times(self, a: Number, b: Number) -> Number:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return self.exactly(a * b)
        if a == 0 or b == 0:
            return Fraction(0)
        x, y = self.ball(a), self.ball(b)
        error = abs(x.value) * y.error + abs(y.value) * x.error + x.error * y.error
        return self.rounded(x.value * y.value, error)

    def over(self, a: Number, b: Number) -> Number:
        if b == 0:
            raise Undefined("a division by zero")
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return self.exactly(a / b)
        x, y = self.ball(a), self.ball(b)
        room = abs(y.value) - y.error
        if room <= 0:
            raise Undefined("a division by what may be zero")
        quotient = x.value / y.value
        return self.rounded(quotient, (x.error + abs(quotient) * y.error) / room)

    def power(self, base: Number, exponent: Number) -> Number:
        if isinstance(exponent, Fraction):
            if exponent.denominator == 1:
                return self._integer_power(base, exponent.numerator)
            if exponent.denominator % 2 and self.is_negative(base):  # the real root, as schools have it
                size = self.power(self.negative(base), exponent)
                return self.negative(size) if exponent.numerator % 2 else size
        if base == 0:
            if self.is_positive(exponent):
                return Fraction(0)
            raise Undefined("a power of zero")
        return self.exp(self.times(exponent, self.log(base)))

    def _integer_power(self, base: Number, exponent: int) -> Number:
        if isinstance(base, Fraction):
            if base == 0 and exponent < 0:
                raise Undefined("a division by zero")
            bits = max(base.numerator.bit_length(), base.denominator.bit_length())
            if abs(base) in (0, 1) or bits * abs(exponent) <= MAX_EXACT_BITS:
                return Fraction(base) ** (exponent if abs(base) not in (0, 1) else exponent % 2 or 2 * bool(exponent))
        x = self.ball(base)
        if abs(x.value) <= x.error:
            if exponent <= 0:
                raise Undefined("a power of what may be zero")
            self._reachable(exponent * (self.mp.mag(x.error) + 1 if x.error else 0))
            return Ball(self.mp.zero, (2 * x.error) ** exponent)
        steps = abs(exponent) * (abs(self.mp.mag(x.value)) + 2)
        self._reachable(steps)
        spread = abs(exponent) * x.error / (abs(x.value) - x.error) + steps * self._eps
        if spread > 0.5:
            raise OutOfReach("a power of a number that is known too little")
        value = x.value**exponent
        return Ball(value, abs(value) * 2 * spread)

    def root(self, a: Number, degree: Number) -> Number:
        if not isinstance(degree, Fraction) or degree == 0:
            return self.power(a, self.over(Fraction(1), degree))
        return self.power(a, 1 / degree)

    def exp(self, a: Number) -> Number:
        if a == 0:
            return Fraction(1)
        x = self.ball(a)
        size = abs(x.value)
        if size > _MAX_MAGNITUDE:
            raise OutOfReach("a number too large")
        spread = x.error + (size + 1) * self._eps
        if spread > 0.5:
            raise OutOfReach("a power with an exponent that is known too little")
        value = self.mp.exp(x.value)
        return Ball(value, abs(value) * 2 * spread)

    def log(self, a: Number) -> Number:
        if a == 0:
            raise Undefined("the logarithm of zero")
        if a == 1:
            return Fraction(0)
        x = self.ball(a)
        room = abs(x.value) - x.error
        if room <= 0:
            raise Undefined("the logarithm of what may be zero")
        return self.rounded(self.mp.log(x.value), x.error / room + self._eps)

    def smooth(self, function: Callable[[Any], Any], slope: Callable[[Any], Any], a: Number) -> Number:
        """A function of the complex plane, by its value and its slope. Raises OutOfReach for huge arguments."""
        x = self.ball(a)
        if x.value and self.mp.mag(x.value) > self.mp.prec // 2:
            raise OutOfReach("a function of a number too large")
        steepness = abs(slope(x.value)) + 1
        return self.rounded(function(x.value), 2 * steepness * x.error + self._eps)

    def size(self, a: Number) -> Number:
        return abs(a) if isinstance(a, Fraction) else Ball(abs(a.value), a.error)

    def floor(self, a: Number) -> Fraction:
        if isinstance(a, Fraction):
            return Fraction(a.numerator // a.denominator)
        if not self.is_real(a):
            raise Undefined("the floor of a complex number")
        low, high = (self.mp.floor(self.mp.re(a.value) + side * a.error) for side in (-1, 1))
        if low != high or self.mp.mag(low or 1) > MAX_EXACT_BITS:
            raise OutOfReach("a floor on the edge")
        return Fraction(int(low))

    def is_real(self, a: Number) -> bool:
        return isinstance(a, Fraction) or abs(self.mp.im(a.value)) <= a.error

    def is_negative(self, a: Number) -> bool:
        """Whether it is known to be real and below zero."""
        if isinstance(a, Fraction):
            return a < 0
        return self.is_real(a) and bool(self.mp.re(a.value) < -a.error)

    def is_positive(self, a: Number) -> bool:
        """Whether it is known to be real and above zero."""
        return self.is_negative(self.negative(a))

    def differ(self, a: Number, b: Number) -> bool:
        """Whether they are known to differ."""
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a != b
        x, y = self.ball(a), self.ball(b)
        return bool(abs(x.value - y.value) > x.error + y.error)

    def known(self, *numbers: Number) -> bool:
        """Whether the errors are so small that balls which touch are the same number."""
        balls = [self.ball(number) for number in numbers]
        largest = max(1, *(abs(ball.value) for ball in balls))
        return all(ball.error <= largest * self.mp.mpf(2) ** (-self.mp.prec // 3) for ball in balls)

    def _reachable(self, magnitude: Any) -> None:
        if abs(magnitude) > _MAX_MAGNITUDE:
            raise OutOfReach("a number too large")
