r"""Where a parser of formulas is, and what binds a variable: sums, products, integrals, limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from fractions import Fraction

from ssr.orchestrator.equivalence.reading.expression import Expression, number, variable
from ssr.orchestrator.equivalence.reading.names import GREEK
from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, NotRead, source, split

END = FormulaToken("end", "")
_OPENING, _CLOSING = ("(", "[", "{", r"\{"), (")", "]", "}", r"\}")


class FormulaCursor(ABC):
    """Goes through tokens; `bound` are names that are variables: i is no constant in a sum over i."""

    def __init__(self, tokens: list[FormulaToken], bound: Iterable[str]) -> None:
        self._tokens, self._at, self._bound = tokens, 0, frozenset(bound)

    @abstractmethod
    def _product(self) -> Expression: ...

    @abstractmethod
    def _argument(self) -> Expression: ...

    @abstractmethod
    def _formula(self, tokens: Sequence[FormulaToken], bound: Iterable[str]) -> Expression:
        """The formula that all of `tokens` are."""

    @property
    def here(self) -> FormulaToken:
        return self._tokens[self._at] if self._at < len(self._tokens) else END

    def _next(self) -> FormulaToken:
        token = self.here
        self._at += 1
        return token

    def _took(self, *texts: str) -> bool:
        if self.here.among(*texts):
            self._at += 1
            return True
        return False

    def _source_of_argument(self) -> str:
        """The text of a group or of one token: of a subscript, or under an accent."""
        return source(self._tokens_of_argument()).replace(" ", "")

    def _tokens_of_argument(self) -> list[FormulaToken]:
        if not self._took("{"):
            return [self._next()]
        start, depth = self._at, 1
        while depth and self.here is not END:
            token = self._next()
            depth += token.among("{") - token.among("}")
        return self._tokens[start : self._at - 1]

    def _bounds(self) -> tuple[list[FormulaToken], Expression | None]:
        """The tokens below an operator, and the formula above it."""
        below: list[FormulaToken] = []
        above: Expression | None = None
        while self.here.among("_", "^"):
            if self._next().text == "_":
                below = self._tokens_of_argument()
            else:
                above = self._signed_argument()
        return below, above

    def _signed_argument(self) -> Expression:
        return Expression("neg", (self._argument(),)) if self._took("-") else self._argument()

    def _series(self, op: str) -> Expression:
        """A sum or a product of terms."""
        below, above = self._bounds()
        start = split(below, "=")
        if above is None or len(start) != 2:
            raise NotRead("a sum over what is not from one number to another")
        bound, low = _bound_variable(start[0]), self._formula(start[1], self._bound)
        return Expression(op, (self._binding(bound), bound, low, above))

    def _binding(self, bound: Expression) -> Expression:
        """What an operator that binds a variable is applied to: a product."""
        before, self._bound = self._bound, self._bound | {str(bound.value)}
        body = self._product()
        self._bound = before
        return body

    def _integral(self) -> Expression:
        below, above = self._bounds()
        integrand, bound = self._integrand()
        body = self._formula(integrand, self._bound | {str(bound.value)}) if integrand else number(1)
        if not below and above is None:
            return Expression("int", (body, bound))
        if above is None or not below:
            raise NotRead("an integral with one bound")
        return Expression("int", (body, bound, self._formula(below, self._bound), above))

    def _integrand(self) -> tuple[list[FormulaToken], Expression]:
        r"""What is in front of an integral's d, and the variable behind it; or the fraction that has `dx` above."""
        start, depth, inner = self._at, 0, 0
        for place in range(start, len(self._tokens) - 1):
            token, behind = self._tokens[place : place + 2]
            depth += token.among(*_OPENING) - token.among(*_CLOSING)
            inner += token.among(r"\int")
            if token.kind != "name" or token.text != "d" or depth > 1:
                continue
            if inner:
                inner -= 1
            elif depth == 0:
                self._at = place + 2
                return list(self._tokens[start:place]), _bound_variable([behind])
            elif self._tokens[place + 2 : place + 3] == [FormulaToken("op", "}")]:
                return self._fraction_over(place), _bound_variable([behind])
        raise NotRead("an integral without its d")

    def _fraction_over(self, differential: int) -> list[FormulaToken]:
        start, end, depth, closed = self._at, differential + 2, 1, 0
        while end < len(self._tokens) and closed < 2:
            depth += self._tokens[end].among("{") - self._tokens[end].among("}")
            closed += self._tokens[end].among("}") and depth == 0
            end += 1
        self._at = end
        above = self._tokens[start:differential]
        one = [FormulaToken("num", "1", value=Fraction(1))] if above[-1].among("{") else []
        return [*above, *one, *self._tokens[differential + 2 : end]]

    def _limit(self) -> Expression:
        below, above = self._bounds()
        parts = split(below, r"\to", r"\rightarrow")
        if above is not None or len(parts) != 2:
            raise NotRead("a limit without what it goes to")
        bound, (point, side) = _bound_variable(parts[0]), _sided(parts[1])
        return Expression("lim", (self._binding(bound), bound, self._formula(point, self._bound)), side)


def _bound_variable(tokens: Sequence[FormulaToken]) -> Expression:
    name = source(tokens).replace(" ", "").removeprefix("\\")
    if not name.isalpha() or (len(name) > 1 and name not in GREEK):
        raise NotRead("an operator over what is no variable")
    return variable(name)


def _sided(tokens: list[FormulaToken]) -> tuple[list[FormulaToken], str]:
    """Without the sign of `0^+`, and that sign."""
    bare = [token for token in tokens[-4:] if not token.among("{", "}")]
    if len(tokens) > 2 and len(bare) > 1 and bare[-2].among("^") and bare[-1].among("+", "-"):
        end = max(place for place, token in enumerate(tokens) if token.among("^"))
        return tokens[:end], bare[-1].text
    return tokens, ""
