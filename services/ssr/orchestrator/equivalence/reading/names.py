"""Names that formulas know: functions, constants, Greek letters, accents; and how runs of letters part into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ssr.orchestrator.equivalence.reading.tokens import FormulaToken, NotRead

CIRCULAR = ("sin", "cos", "tan", "cot", "sec", "csc")
FUNCTIONS = {
    **{name: name for name in (*CIRCULAR, "sinh", "cosh", "tanh", "coth", "exp", "ln", "log", "lg")},
    **{f"arc{name}": f"arc{name}" for name in CIRCULAR},
    **{f"a{name}": f"arc{name}" for name in ("sin", "cos", "tan")},
    **{name: f"ar{name[-4:]}" for form in ("ar", "arc", "a") for name in (f"{form}sinh", f"{form}cosh", f"{form}tanh")},
    **{name: name for name in ("max", "min", "gcd", "lcm", "abs", "sgn", "floor", "ceil", "det", "Re", "Im")},
}  # fmt: skip
READ_FUNCTIONS = set(FUNCTIONS) - {"det", "Re", "Im"}
CONSTANTS = {"pi": "pi", "infinity": "inf", "infty": "inf", "inf": "inf", "e": "e", "i": "i"}
GREEK = frozenset([
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi",
    "Sigma", "Upsilon", "Phi", "Psi", "Omega", "ell", "hbar",
])  # fmt: skip
ACCENTS = {"overline", "bar", "hat", "vec", "tilde", "dot", "ddot", "widehat", "mathcal", "mathscr", "boldsymbol"}
ACCENTS |= {"overrightarrow", "mathfrak", "bm", "underline"}
_KNOWN_WORDS = sorted((*READ_FUNCTIONS, "pi", "infinity", "sqrt", "cbrt", "mod"), key=len, reverse=True)


def words_apart(tokens: Sequence[FormulaToken]) -> list[FormulaToken]:
    """Runs of letters as the functions and variables that they are: `2xsinx` is 2 x sin x."""
    out: list[FormulaToken] = []
    for token in tokens:
        rest, first = token.text, token
        if token.kind == "text" and len(token.text.strip()) == 1:
            token, rest = replace(token, kind="name", text=token.text.strip()), token.text.strip()
        if token.kind != "name":
            out.append(token)
            continue
        letters = 0
        while rest:
            word = next((word for word in _KNOWN_WORDS if rest.startswith(word)), rest[0])
            letters = letters + 1 if len(word) == 1 else 0
            if letters > 4:
                raise NotRead(f"{token.text!r} is a word")
            out.append(replace(first, kind="name", text=word))
            first, rest = replace(first, spaced=False), rest[len(word) :]
    return out
