"""Integrals, limits and long sums as sympy computes them: in a worker, whose limits end what does not end."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from ssr.orchestrator.equivalence.comparison.evaluation import ENDLESS, cost
from ssr.orchestrator.equivalence.reading.expression import BINDING, Expression, constant, number, variable

#: Sums of up to so much are added up as they are.
_COST = 5_000
_INTEGERS = frozenset("klmnN")
_NAMES = {
    "exp": "exp", "ln": "log", "abs": "Abs", "floor": "floor", "ceil": "ceiling", "!": "factorial", "sgn": "sign",
    "binom": "binomial", "max": "Max", "min": "Min", "gcd": "gcd", "lcm": "lcm", "mod": "Mod",
    **{name: name for name in ("sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth")},
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "cot", "sec", "csc")},
    **{f"ar{name}": f"a{name}" for name in ("sinh", "cosh", "tanh")},
}  # fmt: skip
_BACK = {name: op for op, name in _NAMES.items()}
_CONSTANTS = {"pi": "Pi", "e": "Exp1", "i": "ImaginaryUnit", "inf": "Infinity"}
_CONSTANTS_BACK = {name: op for op, name in _CONSTANTS.items()}
_OPERATORS = {"sum": "Sum", "prod": "Product", "int": "Integral"}


class NotComputed(Exception):
    """sympy has no closed form that could be compared."""


def needs_computing(tree: Expression) -> bool:
    """Whether there is something in it that has no value before it is computed."""
    if tree.op in ("sum", "prod"):
        return cost(tree) >= _COST or any(map(needs_computing, tree.args))
    return cost(tree) >= ENDLESS if tree.op in BINDING else any(map(needs_computing, tree.args))


def computed(tree: Expression) -> Expression:
    """The tree with closed forms in place of integrals, limits and long sums. Raises: NotComputed."""
    if not needs_computing(tree):
        return tree
    if tree.op not in BINDING:
        return Expression(tree.op, tuple(map(computed, tree.args)), tree.value)
    try:
        found = _symbolic(tree).doit()
    except (TypeError, ValueError, NotImplementedError, ZeroDivisionError, RecursionError) as error:
        raise NotComputed(f"sympy does not compute {tree.op}") from error
    return _tree(found)


def _symbolic(tree: Expression) -> Any:
    """In sympy's objects."""
    import sympy  # type: ignore[import-untyped]

    if tree.op == "num":
        assert isinstance(tree.value, Fraction)
        return sympy.Rational(tree.value.numerator, tree.value.denominator)
    if tree.op == "var":
        name = str(tree.value)
        return sympy.Symbol(name, integer=True, positive=True) if name in _INTEGERS else sympy.Symbol(name, real=True)
    if tree.op == "const":
        return getattr(sympy.S, _CONSTANTS[str(tree.value)])
    if tree.op in BINDING:
        return _bound(tree)
    arguments = [_symbolic(arg) for arg in tree.args]
    arithmetic: dict[str, Callable[..., Any]] = {
        "+": operator.add,
        "*": operator.mul,
        "/": operator.truediv,
        "^": operator.pow,
        "neg": operator.neg,
        "root": lambda a, degree: sympy.real_root(a, degree) if a.is_negative and degree.is_odd else a ** (1 / degree),
        "log": sympy.log,
    }
    function = arithmetic.get(tree.op) or getattr(sympy, _NAMES.get(tree.op, ""), None)
    if function is None:
        raise NotComputed(f"{tree.op} is not handed to sympy")
    return function(*arguments)


def _bound(tree: Expression) -> Any:
    import sympy

    body, bound, *bounds = (_symbolic(arg) for arg in tree.args)
    if tree.op == "lim":
        return sympy.Limit(body, bound, bounds[0], str(tree.value) or "+-" if bounds[0].is_finite else "+")
    return getattr(sympy, _OPERATORS[tree.op])(body, (bound, *bounds))


def _tree(found: Any) -> Expression:
    """From sympy's objects. Raises: NotComputed."""
    if found.is_Rational:
        return number(Fraction(int(found.p), int(found.q)))
    if found.is_Symbol:
        return variable(found.name)
    kind = type(found).__name__
    if kind in _CONSTANTS_BACK:
        return constant(_CONSTANTS_BACK[kind])
    if kind == "NegativeInfinity":
        return Expression("neg", (constant("inf"),))
    if kind == "Piecewise" and found.args[-1][1]:
        return _tree(found.args[-1][0])  # what holds in general
    if kind not in ("Add", "Mul", "Pow") and kind not in _BACK:
        raise NotComputed(f"a result with {kind}")
    arguments = [_tree(arg) for arg in found.args]
    if kind in ("Add", "Mul"):
        return _folded("+" if kind == "Add" else "*", arguments)
    return Expression("^" if kind == "Pow" else _BACK[kind], tuple(arguments))


def _folded(op: str, arguments: Sequence[Expression]) -> Expression:
    return reduce(lambda left, right: Expression(op, (left, right)), arguments)
