"""What reading and exact arithmetic decide of two answers, from either side."""

from __future__ import annotations

import pytest

from ssr.orchestrator.equivalence.comparison.context import Context
from ssr.orchestrator.equivalence.decision import EquivalenceDecision

SAME = [
    ("1h 30min", "90 min"),
    ("3 hours, 20 minutes", "200 minutes"),
    ("£3.50", "3.50 pounds"),
    ("10 cm²", "10\\,\\mathrm{cm^2}"),
    ("2\\text{ m/s}^2", "2 \\mathrm{m/s^{2}}"),
    ("|x|<2", "-2<x<2"),
    ("|x-3| \\ge 2", "x \\le 1 \\text{ or } x \\ge 5"),
    ("[[1,2],[3,4]]", "\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}"),
    ("2 to 3", "2:3"),
    ("C(5,2)", "10"),
    ("P(5,2)", "20"),
    ("{5 \\choose 2}", "10"),
    ("0xff", "255"),
    ("0b101", "5"),
    ("Option B", "(B)"),
    ("5\\,x", "5x"),
    ("\\frac{2}{2^{61}}", "\\frac{1}{2^{60}}"),
    ("√2", "\\sqrt{2}"),
    ("5√2", "5\\sqrt{2}"),
    ("½", "1/2"),
    ("2³", "8"),
    ("x²", "x^2"),
    ("3 × 10⁸", "3 \\times 10^8"),
    ("∞", "\\infty"),
    ("≥ 5", "\\ge 5"),
    ("1\u202f000", "1000"),
    ("\\sqrt{1/m}", "\\frac{1}{\\sqrt{m}}"),
    ("\\frac12", "0.5"),
    ("x=5", "5"),
    ("(B)", "B"),
    ("12 cm", "12"),
    ("12\\text{ cm}", "12"),
    ("50\\%", "50%"),
    ("50\\%", "50"),
    ("3,4", "4,3"),
    ("\\{3,4\\}", "4,3"),
    ("(3,4)", "3,4"),
    ("10:30", "10:30"),
    ("2:3", "4:6"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix} 1 & 2 \\\\ 3 & 4 \\end{bmatrix}"),
    ("\\begin{pmatrix}\\frac12\\\\ x\\end{pmatrix}", "\\begin{pmatrix}0.5\\\\x\\end{pmatrix}"),
    ("[1,2)", "[1, 2)"),
    ("1\\le x\\le 2", "[1,2]"),
    ("(-\\infty,2]", "x\\le 2"),
    ("[1,2]\\cup[3,4]", "[3,4] \\cup [1,2]"),
    ("x^2+2x+1", "(x+1)^2"),
    ("\\sqrt{8}", "2\\sqrt2"),
    ("\\dfrac{\\sqrt2}{2}", "\\frac{1}{\\sqrt{2}}"),
    ("1,000,000", "10^6"),
    ("3 million", "3000000"),
    ("y=2x+3", "2x+3=y"),
    ("y=2x+3", "2x+3"),
    ("x>2", "2<x"),
    ("2 or 3", "3, 2"),
    ("2\\text{ or }3", "2,3"),
    ("\\pm 2", "2,-2"),
    ("\\left(1,\\frac{2}{3}\\right)", "(1, \\tfrac23)"),
    ("4+3i", "3i+4"),
    ("x=3, y=4", "y=4, x=3"),
    ("27 dollars", "\\$27"),
    ("27 USD", "\\$27"),
    ("27 dollars", "27"),
    ("5 hours", "5"),
    ("1 hour", "60 minutes"),
    ("C) 14", "C"),
    ("\\textbf{(C)}", "C"),
    ("C: text", "C"),
    ("(C)", "C"),
    ("\\text{C}", "C"),
    ("\\mathrm{C}", "(C)"),
    ("3:30 pm", "15:30"),
    ("3:30 p.m.", "15:30"),
    ("3:30", "3:30 pm"),
    ("half past three", "3:30"),
    ("noon", "12:00 pm"),
    ("March 5, 2024", "2024-03-05"),
    ("5 March 2024", "March 5th, 2024"),
    ("one half", "1/2"),
    ("twelve", "12"),
    ("minus five", "-5"),
    ("twenty-one", "21"),
    ("two and a half", "5/2"),
    ("one hundred and five", "105"),
    ("three quarters", "0.75"),
    ("three point one four", "3.14"),
    ("square root of two", "\\sqrt2"),
    ("two thirds", "\\frac{2}{3}"),
    ("x squared", "x^2"),
    ("two to the power of ten", "1024"),
    ("five factorial", "120"),
    ("seven over nine", "7/9"),
    ("one million", "10^6"),
    ("two hundred thousand", "200000"),
    ("\\mathrm{i}", "i"),
    ("\\mathrm{e}^{\\mathrm{i}\\pi}", "-1"),
    ("e^{i\\pi}+1", "0"),
    ("\\text{pi}", "\\pi"),
    ("2\\mathrm{e}", "2e"),
    ("50\\%", "0.5"),
    ("50 percent", "50%"),
    ("90^\\circ", "\\frac{\\pi}{2}"),
    ("90 degrees", "90^\\circ"),
    ("0.\\overline{3}", "1/3"),
    ("0.333...", "1/3"),
    ("0.(3)", "1/3"),
    ("0.1\\overline{6}", "1/6"),
    ("1.5e3", "1500"),
    ("1.5 \\times 10^{-3}", "0.0015"),
    ("3E8", "3×10⁸"),
    ("(-\\infty,1)\\cup(1,\\infty)", "x\\ne 1"),
    ("\\mathbb{R}\\setminus\\{1\\}", "x \\neq 1"),
    ("(-\\infty,\\infty)", "\\mathbb{R}"),
    ("x<1\\text{ or }x>2", "(-\\infty,1)\\cup(2,\\infty)"),
    ("x \\in [1,2]", "1 \\leq x \\leq 2"),
    ("\\{1,2,3\\}", "\\{3,2,1\\}"),
    ("\\varnothing", "\\emptyset"),
    ("3\\pm\\sqrt{5}", "3+\\sqrt5, 3-\\sqrt5"),
    ("\\frac{-1\\pm\\sqrt{5}}{2}", "\\frac{-1+\\sqrt5}{2},\\frac{-1-\\sqrt5}{2}"),
    ("x^2-1", "(x-1)(x+1)"),
    ("\\sqrt{x^2}", "|x|"),
    ("\\sin^2x+\\cos^2x", "1"),
    ("\\sin 2x", "2\\sin x\\cos x"),
    ("\\log_2 8", "3"),
    ("\\ln x^2", "2\\ln x"),
    ("\\log_{10} 100", "2"),
    ("\\log 100", "2"),
    ("\\ln 2", "\\log 2"),
    ("\\sin\\frac{\\pi}{6}", "1/2"),
    ("\\cos 60^\\circ", "0.5"),
    ("\\tan\\frac{\\pi}{4}", "1"),
    ("\\arctan 1", "\\frac\\pi4"),
    ("\\binom{5}{2}", "10"),
    ("5!", "120"),
    ("\\frac{10!}{8!}", "90"),
    ("n(n+1)/2", "\\frac{n^2+n}{2}"),
    ("(-1)^n", "\\cos(n\\pi)"),
    ("x \\equiv 3 \\pmod 7", "3 \\pmod{7}"),
    ("3 \\pmod 7", "10 \\pmod 7"),
    ("3\\bmod 7", "3"),
    ("(3+2i)(1-i)", "5-i"),
    ("|3+4i|", "5"),
    ("1\\frac{1}{2}", "1.5"),
    ("1½", "3/2"),
    ("2 1/2 hours", "2.5 hours"),
    ("2 hours 30 minutes", "2.5 hours"),
    ("2 hours and 30 minutes", "150 minutes"),
    ("5 feet 6 inches", "66 inches"),
    ("100 cm", "1 m"),
    ("12\\text{ cm}^2", "12 square centimeters"),
    ("60 mph", "60 miles per hour"),
    ("60 km/h", "60 kilometers per hour"),
    ("9.8 m/s^2", "9.8\\,\\text{m/s}^2"),
    ("27 apples", "27"),
    ("27 apples", "27 apple"),
    ("50 cents", "\\$0.50"),
    ("€5", "5 euros"),
    ("\\$1,234.50", "1234.5 dollars"),
    ("2:3", "2/3"),
    ("1:2:3", "2:4:6"),
    ("x=2,3", "x=2\\text{ or }x=3"),
    ("x = 2, y = 3", "(2,3)"),
    ("(x,y)=(2,3)", "x=2, y=3"),
    ("(x, y) = (2, 3)", "(2,3)"),
    ("y=2x+3", "y-2x=3"),
    ("x^2+y^2=4", "x^2+y^2-4=0"),
    ("2x+2y=4", "x+y=2"),
    ("2x>4", "x>2"),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}", "(1,2)"),
    ("\\langle 1,2\\rangle", "(1,2)"),
    ("101_2", "5"),
    ("2\\cdot 3^{1/2}", "2\\sqrt3"),
    ("\\sqrt[3]{-8}", "-2"),
    ("\\sqrt[3]{2}", "2^{1/3}"),
    ("8^{1/3}", "2"),
    ("The answer is 5", "5"),
    ("no solution", "No solutions"),
    ("does not exist", "DNE"),
    ("\\text{no solution}", "\\emptyset"),
    ("Alice, Bob", "Bob and Alice"),
    ("\\text{Yes}", "yes"),
    ("the circle", "circle"),
    ("1,000", "1000"),
    ("1 000 000", "10^6"),
    ("12,345.67", "12345.67"),
    ("\\frac{x+1}{2}", "0.5x+0.5"),
    ("\\frac{\\sqrt{6}+\\sqrt{2}}{4}", "\\cos 15^\\circ"),
    ("\\sqrt{3+2\\sqrt2}", "1+\\sqrt2"),
    ("2^{10000}", "4^{5000}"),
    ("10^{10^{10}}", "100^{5000000000}"),
    ("\\lfloor \\pi \\rfloor", "3"),
    ("x^{-1}", "\\frac1x"),
    ("\\frac{1}{x}+\\frac{1}{y}", "\\frac{x+y}{xy}"),
    ("sqrt(2)/2", "\\frac{1}{\\sqrt{2}}"),
    ("√3/2", "\\frac{\\sqrt{3}}{2}"),
    ("3rd", "third"),
    ("5^{2}", "25"),
    ("5 cm", "5cm"),
    ("5m", "5 meters"),
    ("5m", "5 m"),
    ("xy", "yx"),
    ("−3", "-3"),
    ("\\text{three}", "3"),
    ("4.0", "4"),
    ("x=3", "3"),
    ("f(x)=x^2", "x^2"),
    ("\\frac{dy}{dx}=2x", "2x"),
    ("S_n = n^2", "n^2"),
    ("A=\\pi r^2", "\\pi r^2"),
    ("12 and 15", "15, 12"),
    ("5 or 7", "7 or 5"),
    ("about 5", "5"),
    ("\\approx 3.14", "3.14"),
    ("-1/2", "-0.5"),
    ("-\\frac{1}{2}", "\\frac{-1}{2}"),
    ("1/2x", "x/2"),
    ("$x \\in \\{1, 2\\}$", "x=1 or x=2"),
    ("three and one half", "3.5"),
    ("forty-two", "42"),
    ("one over seven to the power of twenty", "\\frac1{7^{20}}"),
    ("all real numbers", "\\mathbb{R}"),
    ("(0,∞)", "x>0"),
    ("infinity", "\\infty"),
    ("-∞", "-\\infty"),
    ("2.50", "2.5"),
    ("a+b", "b+a"),
    ("x^3-6x^2+11x-6", "(x-1)(x-2)(x-3)"),
    ("\\frac{a^2-b^2}{a-b}", "a+b"),
    ("5\\cdot3", "15"),
    ("2^{3^2}", "512"),
    ("(2^3)^2", "64"),
    ("\\$27.00 per hour", "27 dollars per hour"),
    ("25°C", "25 degrees Celsius"),
    ("25^\\circ\\text{C}", "25"),
    ("1,2,3", "(1,2,3)"),
    ("one-third", "1/3"),
    ("a quarter", "1/4"),
    ("half", "0.5"),
    ("twenty five", "25"),
    ("thirty-three and a third percent", "33\\frac13\\%"),
    ("0.5 \\text{ or } \\frac13", "\\frac12, \\frac13"),
    ("2\\sqrt{3}\\text{ cm}", "2√3"),
    ("\\sqrt{12}", "2\\sqrt{3}"),
    ("x = \\frac{1}{2}", ".5"),
    ("7/3", "2\\frac{1}{3}"),
    ("3.0\\times10^{8}\\text{ m/s}", "300000000"),
    ("4π cm²", "4\\pi"),
    ("i^2", "-1"),
    ("\\sqrt{-4}", "2i"),
    ("\\frac{1+i}{\\sqrt2}", "e^{i\\pi/4}"),
]
DIFFERENT = [
    ("2 to 3", "3 to 2"),
    ("10\\,\\mathrm{cm^2}", "10 cm"),
    ("10\\,\\mathrm{cm^2}", "10\\,\\mathrm{cm^3}"),
    ("3 hours, 20 minutes", "3 hours"),
    ("1h 30min", "1.3 h"),
    ("£3.50", "3.50 dollars"),
    ("5 pounds", "5 kg"),
    ("|x|<2", "x<2"),
    ("|x|<2", "-2\\le x\\le 2"),
    ("|x|>2", "|x|<2"),
    ("[[1,2],[3,4]]", "[[1,3],[2,4]]"),
    ("C(5,2)", "C(5,1)"),
    ("0xff", "0xfe"),
    ("\\frac{1}{7^{20}}", "\\frac{1}{7^{21}}"),
    ("\\frac{3}{2^{60}}", "\\frac{5}{2^{60}}"),
    ("\\left(\\frac12\\right)^{64}", "\\left(\\frac12\\right)^{63}"),
    ("2^{-60}", "2^{-61}"),
    ("\\frac{1}{40!}", "\\frac{1}{41!}"),
    ("5√2", "5"),
    ("5 sqrt(2)", "5"),
    ("6\\sqrt(3)", "6"),
    ("\\le 5", "5"),
    ("x=5", "y=5"),
    ("B", "C"),
    ("(3,4)", "(4,3)"),
    ("(3,4)", "4,3"),
    ("(3,4)", "\\{3,4\\}"),
    ("10:30", "5:15"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}"),
    ("[1,2)", "(1,2]"),
    ("(1,2)", "[1,2]"),
    ("1, 000", "1000"),
    ("x>2", "x\\ge 2"),
    ("3 1/2", "31/2"),
    ("0.\\overline{3}", "0"),
    ("\\pi", "3.14159"),
    ("p-q", "q-p"),
    ("\\frac{1}{0}", "5"),
    ("", "5"),
    ("\\text{Monday}", "Tuesday"),
    ("5 hours", "5 minutes"),
    ("(C)", "D"),
    ("3:30 am", "3:30 pm"),
    ("March 5", "March 6"),
    ("50\\%", "5%"),
    ("0.333", "1/3"),
    ("[1,2]", "[1,3]"),
    ("\\{1,2\\}", "\\{1,2,3\\}"),
    ("\\pm 2", "2"),
    ("x^2-1", "(x-1)^2"),
    ("|x|", "x"),
    ("3 \\pmod 7", "4 \\pmod 7"),
    ("3+4i", "3-4i"),
    ("100 cm", "1 km"),
    ("12 cm^2", "12 cm"),
    ("27 apples", "27 oranges"),
    ("\\$5", "€5"),
    ("2:3", "3:2"),
    ("x=2, y=3", "x=3, y=2"),
    ("x+y=2", "x+y=3"),
    ("x>2", "x<2"),
    ("x>2", "y>2"),
    ("\\begin{bmatrix}1&2\\end{bmatrix}", "\\begin{bmatrix}1\\\\2\\end{bmatrix}"),
    ("101_2", "101"),
    ("yes", "no"),
    ("10,000", "1,0000"),
    ("e^{-1000}", "e^{-1001}"),
    ("10^{-50}+1", "1"),
    ("\\pi", "3.14159265358979323846"),
    ("2^{10000}", "2^{10001}"),
    ("9^{9^{9^9}}", "9^{9^{9^{10}}}"),
    ("5m", "5"),
    ("x=3", "x=4"),
    ("∞", "-∞"),
    ("a-b", "b-a"),
    ("25°C", "25°F"),
    ("4\\pi", "12.566"),
]
CHOICES = Context.of(
    r"How many? $\textbf{(A)}\ 12 \qquad \textbf{(B)}\ 13 \qquad \textbf{(C)}\ 14 \qquad \textbf{(D)}\ x+1$"
)


@pytest.mark.parametrize(("a", "b"), SAME)
def test_same(a: str, b: str) -> None:
    decision = EquivalenceDecision(Context(), budget=None)
    assert decision.verdict(a, b) is True
    assert decision.verdict(b, a) is True


@pytest.mark.parametrize(("a", "b"), DIFFERENT)
def test_different(a: str, b: str) -> None:
    decision = EquivalenceDecision(Context(), budget=None)
    assert decision.verdict(a, b) is False
    assert decision.verdict(b, a) is False


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (r"\int_0^1 x\,dx", "1/2"),
        (r"\sum_{k=1}^{\infty} 2^{-k}", "1"),
        (r"\frac{", "x"),
        ("(" * 99 + "x" + ")" * 99, "x"),
    ],
)
def test_what_is_not_read_is_left_to_a_worker(a: str, b: str) -> None:
    assert EquivalenceDecision(Context()).verdict(a, b) is None


@pytest.mark.parametrize("piece", ["=", "₃<", "½", "i", "(1,"])
def test_what_is_long_is_left_to_a_worker(piece: str) -> None:
    assert EquivalenceDecision(Context()).verdict((piece * 1000)[:1000], "7") is None
    assert EquivalenceDecision(Context(), budget=None).verdict((piece * 1000)[:900], "7") in (False, None)


def test_what_costs_much_is_left_to_a_worker() -> None:
    a, b = " + ".join(rf"\sin^{{{n}}} x" for n in range(40)), " + ".join(rf"\cos^{{{n}}} x" for n in range(40))
    assert EquivalenceDecision(Context()).verdict(a, b) is None
    assert EquivalenceDecision(Context(), budget=None).verdict(a, b) is False


def test_the_choices_of_a_problem_are_read() -> None:
    assert CHOICES.choices == {"A": "12", "B": "13", "C": "14", "D": "x+1"}
    listed = "Which one?\n\nChoices:\n(A) a cat\n(B) a dog\n\nExactly one is right."
    assert Context.of(listed).choices == {"A": "a cat", "B": "a dog"}
    assert Context.of("Which? A. 5 B. 6 C. 7").choices == {"A": "5", "B": "6", "C": "7"}
    assert Context.of("Points A and B. Find f(A).").choices == {}


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("C", "C"),
        ("(C)", "C"),
        ("C) 14", "C"),
        (r"\textbf{(C)}", "C"),
        (r"\textbf{(C)}\ 14", "C"),
        ("C: text", "C"),
        ("C.", "C"),
        (r"\text{C}", "C"),
        ("The answer is (C).", "C"),
        ("14", "C"),
        (r"\text{(C) } 14", "C"),
        ("1+x", "D"),
        ("15", None),
        ("C + 1", None),
        ("E", None),
    ],
)
def test_the_choice_that_an_answer_names(answer: str, chosen: str | None) -> None:
    assert EquivalenceDecision(CHOICES).chosen(answer) == chosen


def test_choices_are_compared_by_their_labels() -> None:
    decision = EquivalenceDecision(CHOICES)
    assert decision.verdict("C) 14", r"\textbf{(C)}") is True
    assert decision.verdict("C) 14", "(D) 14") is False
    assert decision.verdict("14", "(C)") is True
    assert decision.verdict("15", "(C)") is False


def test_the_problem_says_how_numbers_are_meant() -> None:
    assert EquivalenceDecision(Context.of("What percent is it?")).verdict(r"50\%", "0.5") is False
    assert EquivalenceDecision(Context.of("What is the probability?")).verdict(r"50\%", "0.5") is True
    assert EquivalenceDecision(Context.of("What percent is it?")).verdict(r"50\%", "50") is True
    assert EquivalenceDecision(Context.of("Give it in base 2.")).verdict("101_2", "101") is True
    assert EquivalenceDecision(Context()).verdict("10:30", "5:15") is False
    assert EquivalenceDecision(Context.of("What is the ratio?")).verdict("10:30", "5:15") is True


@pytest.mark.parametrize(("answer", "chosen"), [("(b)", "B"), ("b", "B"), ("b)", "B"), ("(f)", None), ("bb", None)])
def test_a_choice_in_lower_case(answer: str, chosen: str | None) -> None:
    context = Context.of("Which is it? (A) 10 (B) 12 (C) 14")
    assert EquivalenceDecision(context).chosen(answer) == chosen


def test_a_letter_that_a_choice_says_is_that_choice() -> None:
    context = Context.of("Which variable is free? (A) b (B) c (C) d")
    assert EquivalenceDecision(context).chosen("b") == "A"
