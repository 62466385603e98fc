"""From tokens to numeric expressions: longest first, and nothing where the notation has no plain meaning."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ssr.verifier.arithmetic.expression import MAX_DEPTH, Applied, Number, Operation, Tree
from ssr.verifier.arithmetic.tokens import Kind, Token, number
from ssr.verifier.arithmetic.units import is_unit

#: Words of a unit ("miles per hour each day").
_MAX_UNIT_WORDS = 5


class NoExpression(Exception):
    """The tokens are no numeric expression."""


class Parser:
    """Reads an expression that begins at `at`. Words after a number are its unit, when the expression goes on.

    `units` and `operations` tell what was met on the way.
    """

    def __init__(self, tokens: Sequence[Token], at: int = 0) -> None:
        self._tokens, self.at = tokens, at
        self._depth = 0
        self.units: list[str] = []
        self.operations = 0

    def expression(self) -> Tree:
        """Raises: NoExpression."""
        tree = self._term()
        while (sign := self._sign("+-")) is not None:
            self.operations += 1
            tree = Operation(sign, tree, self._term())
        return tree

    def _term(self) -> Tree:
        tree, divided = self._signed(), False
        while True:
            if (sign := self._sign("*/")) is not None:
                divided = divided or sign == "/"
                tree = Operation(sign, tree, self._signed())
            elif self._stands_beside():
                if divided:  # 12/3(2) has two readings
                    raise NoExpression
                tree = Operation("*", tree, self._power())
            else:
                return tree
            self.operations += 1

    def _stands_beside(self) -> bool:
        """A bracket right after a factor: 2(3), (2)(3)."""
        token = self._peek()
        return token is not None and token.kind is Kind.OPEN and token.text == "(" and token.glued

    def _signed(self) -> Tree:
        token = self._peek()
        if token is None or token.kind is not Kind.SIGN or token.text not in "+-":
            return self._power()
        self.at += 1
        argument, begin = self._power(), self._tokens[self.at - 1]
        if isinstance(argument, Operation) and argument.operator == "^" and begin.kind is not Kind.CLOSE:
            raise NoExpression  # -2^2 is 4 to some
        return Applied("minus", argument) if token.text == "-" else argument

    def _power(self) -> Tree:
        tree = self._atom()
        token = self._peek()
        if token is None or token.text != "^":
            return tree
        self.at += 1
        self.operations += 1
        tree = Operation("^", tree, self._exponent())
        if (after := self._peek()) is not None and after.text == "^":
            raise NoExpression
        return tree

    def _exponent(self) -> Tree:
        token = self._peek()
        if token is not None and token.text == "-":
            self.at += 1
            return Applied("minus", self._bare())
        return self._bare()

    def _atom(self) -> Tree:
        tree = self._mixed(self._bare())
        while (token := self._peek()) is not None and token.text in ("%", "!"):
            self.at += 1
            self.operations += token.text == "!"
            tree = Applied(token.text, tree)
        self._swallow_unit()
        return tree

    def _bare(self) -> Tree:
        """A number, a bracket, a fraction or a root."""
        token = self._next()
        match token.kind:
            case Kind.NUMBER:
                if token.money:
                    self.units.append("$")
                return Number(*number(token.text))
            case Kind.OPEN:
                return self._bracket(token)
            case Kind.FRACTION:
                self.operations += 1
                return Operation("/", self._braced(), self._braced())
            case Kind.ROOT:
                self.operations += 1
                return Applied("root", self._braced())
        raise NoExpression

    def _mixed(self, whole: Tree) -> Tree:
        """`2 1/2`, `2\\frac{1}{2}`: a whole number with a fraction beside it."""
        token = self._peek()
        if not isinstance(whole, Number) or token is None:
            return whole
        if token.kind is Kind.FRACTION:
            return Operation("mixed", whole, self._bare())
        if token.kind is not Kind.NUMBER:
            return whole
        slash, bottom = self._peek(1), self._peek(2)
        if slash is None or slash.text != "/" or bottom is None or bottom.kind is not Kind.NUMBER or whole.decimals:
            raise NoExpression
        self.at += 3
        self.operations += 1
        (top, _), (below, _) = number(token.text), number(bottom.text)
        if below == 0 or top >= below:
            raise NoExpression
        return Operation("+", whole, Number(Fraction(top, below)))

    def _bracket(self, opened: Token) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NoExpression
        tree = self.expression()
        if self._next().kind is not Kind.CLOSE:
            raise NoExpression
        self._depth -= 1
        return tree

    def _braced(self) -> Tree:
        token = self._peek()
        if token is None or token.text not in ("{", "("):
            raise NoExpression  # \\frac12 and \\sqrt[3]{8} are left to others
        return self._bare()

    def _sign(self, signs: str) -> str | None:
        token = self._peek()
        if token is None or token.kind is not Kind.SIGN or token.text not in signs:
            return None
        self.at += 1
        return token.text

    def _swallow_unit(self) -> None:
        """Words, if they are a unit; those at the end of an expression that goes on with no sign are left."""
        begin, words = self.at, list[str]()
        while (token := self._peek()) is not None and len(words) <= _MAX_UNIT_WORDS:
            after = self._peek(1)
            if token.kind is Kind.WORD:
                words.append(token.text)
            elif token.text == "/" and after is not None and after.kind is Kind.WORD:
                words.append("/")
            elif token.text == "^" and words and after is not None and after.text in ("2", "3"):
                words[-1] += f"^{after.text}"
                self.at += 1
            else:
                break
            self.at += 1
        if not words:
            return
        token = self._peek()
        goes_on = token is None or token.kind is Kind.CLOSE or (token.kind is Kind.SIGN and token.text in "+-*/")
        if goes_on and is_unit(words, glued=self._tokens[begin].glued):
            self.units.extend(words)
        else:
            self.at = begin

    def _peek(self, ahead: int = 0) -> Token | None:
        at = self.at + ahead
        return self._tokens[at] if at < len(self._tokens) else None

    def _next(self) -> Token:
        token = self._peek()
        if token is None:
            raise NoExpression
        self.at += 1
        return token
