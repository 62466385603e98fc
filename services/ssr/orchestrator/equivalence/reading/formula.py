r"""Formulas from tokens: LaTeX's and plain notation in one grammar.

sum      = ["+" | "-" | \pm | \mp] product { ("+" | "-" | \pm | \mp) product }
product  = factor { [ "*" | \cdot | \times | "/" | \div ] factor }        a blank or nothing: times
factor   = primary { "!" | "%" | "°" } [ "^" exponent ]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from ssr.orchestrator.equivalence.reading.bases import in_base
from ssr.orchestrator.equivalence.reading.expression import Expression, constant, number, variable
from ssr.orchestrator.equivalence.reading.formula_cursor import END, FormulaCursor
from ssr.orchestrator.equivalence.reading.names import (
    ACCENTS,
    CIRCULAR,
    CONSTANTS,
    FUNCTIONS,
    GREEK,
    READ_FUNCTIONS,
    words_apart,
)
from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, NotRead

_MAX_DEPTH = 40
_TIMES, _OVER = ("*", r"\cdot", r"\times", r"\ast"), ("/", r"\div")
_SUMS = {"+": 0, "-": 0, r"\pm": 1, r"\mp": -1}
_CLOSES = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", r"\lfloor": r"\rfloor", r"\lceil": r"\rceil"}
_BEGINNERS = READ_FUNCTIONS | GREEK | ACCENTS | {"pi", "infty"}


def expression(tokens: Sequence[FormulaToken], bound: Iterable[str] = ()) -> Expression:
    """The formula that all of `tokens` are; names that are `bound` are variables. Raises NotRead."""
    parser = _FormulaParser(tokens, bound)
    tree = parser.sum()
    if parser.here is not END:
        raise NotRead(f"cannot read on at {parser.here.text!r}")
    return tree


class _FormulaParser(FormulaCursor):
    def __init__(self, tokens: Sequence[FormulaToken], bound: Iterable[str] = ()) -> None:
        super().__init__(words_apart(tokens), bound)
        self._depth = self._bars = 0
        self._special: dict[str, Callable[[], Expression]] = {
            r"\frac": lambda: Expression("/", (self._argument(), self._argument())),
            r"\binom": lambda: Expression("binom", (self._argument(), self._argument())),
            r"\sqrt": self._root,
            "sqrt": self._root,
            "√": lambda: Expression("root", (self._tight(), number(2))),
            "∛": lambda: Expression("root", (self._tight(), number(3))),
            "cbrt": lambda: Expression("root", (self._tight(), number(3))),
            "∜": lambda: Expression("root", (self._tight(), number(4))),
            r"\lfloor": lambda: Expression("floor", (self._until(r"\rfloor"),)),
            r"\lceil": lambda: Expression("ceil", (self._until(r"\rceil"),)),
            "|": self._absolute,
            r"\sum": lambda: self._series("sum"),
            r"\prod": lambda: self._series("prod"),
            r"\int": self._integral,
            r"\lim": self._limit,
        }

    def sum(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NotRead("too many brackets in each other")
        tree = self._first_product()
        while self.here.text in _SUMS and self.here.kind != "text":
            sign = self._next().text
            right = self._product()
            if _SUMS[sign]:
                tree = Expression("pm", (tree, right), str(_SUMS[sign]))
            else:
                tree = Expression("+", (tree, right if sign == "+" else Expression("neg", (right,))))
        self._depth -= 1
        return tree

    def _first_product(self) -> Expression:
        if self.here.kind != "text" and _SUMS.get(self.here.text):
            sign = _SUMS[self._next().text]
            return Expression("pm", (number(0), self._product()), str(sign))
        return self._product()

    def _formula(self, tokens: Sequence[FormulaToken], bound: Iterable[str]) -> Expression:
        return expression(tokens, bound)

    def _product(self) -> Expression:
        if self.here.among("-", "+"):
            negative = self._next().text == "-"
            tree = self._product()
            return Expression("neg", (tree,)) if negative else tree
        tree = self._factor()
        while True:
            if self.here.among(r"\times") and self._between_vectors():
                raise NotRead("a product of vectors")
            if self._took(*_TIMES):
                tree = Expression("*", (tree, self._signed_factor()))
            elif self._took(*_OVER):
                tree = Expression("/", (tree, self._signed_factor()))
            elif self._took(r"\bmod", "mod"):
                tree = Expression("mod", (tree, self._factor()))
            elif self._begins() or (self.here.kind == "num" and self._stands_apart(tree)):
                tree = Expression("*", (tree, self._factor()))
            else:
                return tree

    def _stands_apart(self, tree: Expression) -> bool:
        """Whether a number behind is a factor: `2^3 3^2`, `3!7!`."""
        last = tree.args[1] if tree.op == "*" else tree
        return last.op == "!" or (last.op == "^" and self.here.spaced)

    def _between_vectors(self) -> bool:
        r"""Whether the product is that of vectors, which has an order: `\vec{a} \times \vec{b}`."""
        return any(token.among(r"\vec", r"\overrightarrow") for token in self._tokens[self._at + 1 : self._at + 2])

    def _signed_factor(self) -> Expression:
        if self._took("-"):
            return Expression("neg", (self._signed_factor(),))
        self._took("+")
        return self._factor()

    def _begins(self) -> bool:
        """Whether a factor begins here without a sign of multiplication; a number after something is none."""
        token = self.here
        if token.kind == "name":
            return token.text != "mod"
        if token.kind == "cmd":
            name = token.text[1:]
            return token.text in self._special or name in _BEGINNERS
        return token.among("(", "[", "{", "√", "∛", "∜") or (token.among("|") and not self._bars)

    def _factor(self) -> Expression:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise NotRead("too many brackets in each other")
        tree = self._postfixed(self._primary())
        if self._took("^"):
            tree = self._postfixed(Expression("^", (tree, self._exponent())))
        self._depth -= 1
        return tree

    def _postfixed(self, tree: Expression) -> Expression:
        while self.here.among("!", "%", r"\%", "°"):
            sign = self._next().text
            if sign == "!" and not self.here.among("!"):
                tree = Expression("!", (tree,))
            elif sign in ("%", r"\%"):
                tree = Expression("/", (tree, number(100)))
            elif sign == "°":
                tree = Expression("*", (tree, Expression("/", (constant("pi"), number(180)))))
            else:
                raise NotRead("a double factorial")
        return tree

    def _exponent(self) -> Expression:
        if self._took("-"):
            return Expression("neg", (self._exponent(),))
        self._took("+")
        return self._factor() if not self.here.among("{") else self._braced_exponent()

    def _braced_exponent(self) -> Expression:
        self._next()
        tree = self._until("}")
        return Expression("^", (tree, self._exponent())) if self._took("^") else tree

    def _primary(self) -> Expression:
        token = self._next()
        if token.kind == "num":
            return self._number(token)
        if token.among(*self._special):
            return self._special[token.text]()
        if token.among("(", "[", "{"):
            return self._until(_CLOSES[token.text])
        name = token.text[1:] if token.kind == "cmd" else token.text
        if token.kind in ("cmd", "name"):
            return self._named(name, command=token.kind == "cmd")
        raise NotRead(f"cannot read {token.text!r}")

    def _named(self, name: str, *, command: bool) -> Expression:
        if name in READ_FUNCTIONS and (command or len(name) > 1):
            return self._function(FUNCTIONS[name])
        if name in ("C", "P") and (drawn := self._drawn(name)):
            return drawn
        if name in self._bound:
            return variable(name)
        if name in CONSTANTS and not (self.here.among("_") and len(name) == 1):
            return constant(CONSTANTS[name])
        if command and name in ACCENTS:
            return self._subscripted(f"{name} {self._source_of_argument()}")
        if command and name not in GREEK:
            raise NotRead(f"the command {name!r}")
        return self._subscripted(name)

    def _drawn(self, name: str) -> Expression | None:
        """C(5,2) and P(5,2): so many ways to draw 2 of 5, without and with their order."""
        ahead = self._tokens[self._at : self._at + 5]
        if [token.kind for token in ahead] != ["op", "num", "op", "num", "op"]:
            return None
        if [token.text for token in ahead[::2]] != ["(", ",", ")"]:
            return None
        self._at += 5
        n, k = (number(token.value or 0) for token in ahead[1::2])
        ways = Expression("binom", (n, k))
        return ways if name == "C" else Expression("*", (ways, Expression("!", (k,))))

    def _subscripted(self, name: str) -> Expression:
        if self._took("_"):
            name = f"{name}_{self._source_of_argument()}"
        while self._took("'"):
            name += "'"
        return variable(name)

    def _number(self, token: FormulaToken) -> Expression:
        assert token.value is not None
        if self._took("_"):
            return number(in_base(token.text, self._source_of_argument()))
        mixed = self._fraction_part() if token.text.isdigit() else None
        return number(token.value + (mixed or 0))

    def _fraction_part(self) -> Fraction | None:
        r"""The 1/2 of `3 1/2` and `3\frac{1}{2}`, which is added and not multiplied: a proper fraction of integers."""
        ahead = [token.text for token in self._tokens[self._at : self._at + 7]]
        if ahead[:1] == [r"\frac"]:
            if len(ahead) == 7 and (ahead[1], ahead[3], ahead[4], ahead[6]) == ("{", "}", "{", "}"):
                return self._proper(ahead[2], ahead[5], 7)
            if len(ahead) > 1 and ahead[1].isdigit() and len(ahead[1]) == 2:
                return self._proper(ahead[1][0], ahead[1][1], 2)
        elif len(ahead) > 2 and self.here.kind == "num" and self.here.spaced and ahead[1] == "/":
            return self._proper(ahead[0], ahead[2], 3)
        return None

    def _proper(self, top: str, bottom: str, length: int) -> Fraction | None:
        if not (top.isdigit() and bottom.isdigit()) or not 0 < int(top) < int(bottom):
            return None
        self._at += length
        return Fraction(int(top), int(bottom))

    def _until(self, closing: str) -> Expression:
        bars, self._bars = self._bars, 0
        tree = self.sum()
        self._bars = bars
        if not self._took(closing):
            raise NotRead(f"{closing} is missing")
        return tree

    def _absolute(self) -> Expression:
        self._bars += 1
        tree = self.sum()
        self._bars -= 1
        if not self._took("|"):
            raise NotRead("| is missing")
        return Expression("abs", (tree,))

    def _argument(self) -> Expression:
        r"""What a command like `\frac` takes: a group, or one digit or sign."""
        if self._took("{"):
            return self._until("}")
        token = self.here
        if token.kind == "num" and len(token.text) > 1 and token.text.isdigit():
            rest = token.text[1:]
            self._tokens[self._at] = FormulaToken("num", rest, value=Fraction(rest))
            return number(int(token.text[0]))
        return self._primary()

    def _root(self) -> Expression:
        degree = number(2)
        if self._took("["):
            degree = self._until("]")
        return Expression("root", (self._argument() if self.here.among("{") else self._tight(), degree))

    def _tight(self) -> Expression:
        """What a root sign without a bar over it covers: one number, name or bracket."""
        return self._postfixed(self._primary()) if not self.here.among("(") else self._primary()

    def _function(self, name: str) -> Expression:
        base: Expression | None = None
        power: Expression | None = None
        while self.here.among("_", "^"):
            if self._next().text == "_":
                base = self._log_base()
            else:
                power = self._exponent()
        if power == Expression("neg", (number(1),)) and name in CIRCULAR:
            name, power = f"arc{name}", None
        arguments = self._arguments()
        tree = Expression(name, arguments)
        if name in ("log", "lg"):
            base = number(10) if name == "lg" else base
            tree = Expression("log", (arguments[0],) if base is None else (arguments[0], base))
        elif base is not None:
            raise NotRead(f"a subscript of {name}")
        return tree if power is None else Expression("^", (tree, power))

    def _log_base(self) -> Expression:
        r"""`log_10 100` has the base 10, `\log_28` the base 2."""
        token = self.here
        last = self._at + 1 >= len(self._tokens)
        if token.kind == "num" and token.value is not None and not (last and len(token.text) > 1):
            return number(self._next().value or 0)
        return self._argument()

    def _arguments(self) -> tuple[Expression, ...]:
        if self.here.among("(", "[", "{"):
            closing = _CLOSES[self._next().text]
            arguments = [self.sum()]
            while self._took(","):
                arguments.append(self.sum())
            if not self._took(closing):
                raise NotRead(f"{closing} is missing")
            return tuple(arguments)
        tree = self._signed_factor()
        while self._begins() and self.here.text.removeprefix("\\") not in READ_FUNCTIONS:
            tree = Expression("*", (tree, self._factor()))
        if self.here.among("/") and self._at + 1 < len(self._tokens) and self._tokens[self._at + 1].kind == "num":
            self._next()  # sin pi/3, not (sin pi)/3
            tree = Expression("/", (tree, self._factor()))
        return (tree,)
