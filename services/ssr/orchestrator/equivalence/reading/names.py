"""Names that formulas know: functions, constants, Greek letters, accents."""

from __future__ import annotations

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
GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
        "ell",
        "hbar",
    ]
)
ACCENTS = {"overline", "bar", "hat", "vec", "tilde", "dot", "ddot", "widehat", "mathcal", "mathscr", "boldsymbol"}
ACCENTS |= {"overrightarrow", "mathfrak", "bm", "underline"}
