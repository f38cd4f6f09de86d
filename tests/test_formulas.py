"""Every formula of a docstring is typeset on the site, from the plain text that `help` shows."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import formulas
from tensorgrad import optim

ROOT = Path(__file__).resolve().parent.parent
SOURCES = [path for folder in ("tensorgrad", "layers", "optim") for path in sorted((ROOT / folder).rglob("*.py"))]
SOURCES = [path for path in SOURCES if path.parent.name not in ("kernels", "files")]  # not in the reference
SIGN = r"\^|\*\*| (=|[-+*/@]|//|<|>|<=|>=) |\b(sqrt|ln|exp|abs|ceil|floor|mean)\(|\bln \w|\|\w[^|]*\||\w/\w+\)|\be\^"
CODE = re.compile(r"""[\w\])]\.\w|\w=|\*\*\w|["'{:]|^\(.*, .*\)|^\w, \w = |\b(False|True|import)\b|\bwhere\(""")
PLAIN = r"``.+?``|^ *::\n\n( {4,}.*\n|\n)+|^\*{0,2}\w[\w, *]*( : .*)?$|^.*shape=.*$"  # literals, drawings, and types


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("1 / (1 + e^-x)", r"\frac{1}{1 + e^{-x}}"),
        ("alpha * (e^x - 1)", r"\alpha \, (e^{x} - 1)"),
        ("x where x > 0, else a x", r"\begin{cases} x & \text{if } x > 0 \\ a \, x & \text{otherwise} \end{cases}"),
        ("a / b * c / d", r"\frac{a}{b} \, \frac{c}{d}"),
        ("a / b / c", r"\frac{\frac{a}{b}}{c}"),
        ("a - (b - c) - d", r"a - (b - c) - d"),
        ("-(a + b) ** 2", r"-(a + b)^{2}"),
        ("x - ln sum(e^x)", r"x - \ln \sum e^{x}"),
        ("log(x) * y", r"(\log x) \, y"),
        ("(sum |x|^ord)^(1 / ord)", r"\left(\sum \left|x\right|^{\text{ord}}\right)^{\frac{1}{\text{ord}}}"),
        ("y[i, f] = sum over a, c of x[i s + a] w[a, f]", r"y_{i, f} = \sum_{a, c} x_{i \, s + a} \, w_{a, f}"),
        ("g (mean(g z) - 1)", r"g \, (\operatorname{mean}(g \, z) - 1)"),
        ("gamma ** (n // every)", r"\gamma^{\left\lfloor \frac{n}{\text{every}} \right\rfloor}"),
        ("e = |p - t| <= delta", r"e = \left|p - t\right| \le \delta"),
        ("|d score / d pixel|", r"\left|\frac{\partial \text{score}}{\partial \text{pixel}}\right|"),
        ("1 / (norm + 1e-6)", r"\frac{1}{\text{norm} + 10^{-6}}"),
        ("step(n) = lr * g + step(n - 1)", r"\text{step}_{n} = \text{lr} \, g + \text{step}_{n - 1}"),
        ("J^T u", r"J^{\top} \, u"),
        ("x y", r"x \, y"),
    ],
)  # fmt: skip
def test_a_formula_is_read(text: str, latex: str) -> None:
    assert formulas.formula(text) == latex


@pytest.mark.parametrize(
    "code",
    [
        "x", "f(x)", "loss(outputs, targets)", "lr=0.1", "layer.trainable = False", "trainable = False", "x, y = split",
        "(KH, KW, C / groups, F)", "SGD(momentum=0)", "lambda x: 2 * x", "Input Layer", "m x k by k x n", "x[index]",
        '"2 x 2 copies"', "with no_grad():", "a +", "(a", "a b)", "a ? b", "x where y", "sum over a", "|x",
    ],
)  # fmt: skip
def test_code_stays_code(code: str) -> None:
    assert formulas.formula(code) is None


@pytest.mark.parametrize(
    ("line", "latex"),
    [
        ("w = w - lr * g / (sqrt(s) + eps)", r"w &\leftarrow w - \frac{\text{lr} \, g}{\sqrt{s} + \varepsilon}"),
        ("a = b - (c - d) * (e + f)**2", r"a &= b - (c - d) \, (e + f)^{2}"),
        (
            "u = max(beta2 * u, abs(g))   words",
            r"u &\leftarrow \operatorname{max}(\beta_2 \, u, \left|g\right|) && \text{words}",
        ),
        ("d = mu(t + 1) * m", r"d &= \mu_{t + 1} \, m"),
    ],
)
def test_a_line_of_a_block_is_read(line: str, latex: str) -> None:
    assert formulas.assignment(line) == latex


def test_a_docstring_is_typeset_and_its_examples_are_not() -> None:
    text = "Is ``x / y``, of ``f(x)``.\n\n    ::\n\n        v = rho * v\n\n>>> f(``x / y``)\n"
    assert formulas.typeset(text) == (
        "Is :math:`\\frac{x}{y}`, of ``f(x)``.\n\n    .. math::\n\n"
        "        \\begin{aligned} v &\\leftarrow \\rho \\, v \\end{aligned}\n\n>>> f(``x / y``)\n"
    )


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """The docstrings of a file that the reference may show."""

    def below(node: ast.Module | ast.ClassDef, name: str) -> Iterator[tuple[str, str]]:
        yield name, ast.get_docstring(node) or ""
        for part in node.body:
            if isinstance(part, ast.ClassDef) and not part.name.startswith("_"):
                yield from below(part, f"{name} {part.name}")
            if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                yield f"{name} {part.name}", ast.get_docstring(part) or ""

    yield from below(ast.parse(path.read_text("utf-8")), path.relative_to(ROOT).as_posix())


def untypeset(docstring: str) -> Iterator[str]:
    """What looks like a formula and stays plain, or code."""
    typeset = re.sub(r"^ *(>>>|\.\.\.).*(\n(?! *(>>>|\n)).*)*", "", docstring, flags=re.MULTILINE)  # examples
    typeset = re.sub(r":math:`[^`]*`| *\.\. math::\n\n.*", "", formulas.typeset(typeset + "\n"))
    for literal in re.findall(r"``(.+?)``", typeset, re.DOTALL):
        if "\n" in literal or (re.search(SIGN, literal) and not CODE.search(literal)):
            yield literal
    yield from (line for line in re.sub(PLAIN, "", typeset, flags=re.MULTILINE).splitlines() if re.search(SIGN, line))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_formula_of_a_docstring_is_typeset(path: Path) -> None:
    assert [(name, found) for name, text in docstrings(path) for found in untypeset(text)] == []


def test_every_block_of_formulas_in_the_optimizers_is_typeset() -> None:
    blocks = [
        rule.__doc__ or "" for rule in vars(optim).values() if "\n    ::\n" in (getattr(rule, "__doc__", "") or "")
    ]
    assert len(blocks) >= 9
    assert [text for text in blocks if "::\n\n" in formulas.typeset(text).replace(".. math::", "")] == []
