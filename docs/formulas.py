"""Formulas of docstrings, written so that they can be read in a terminal, as LaTeX.

A block behind ``::`` is a formula on each line; a literal in double backticks is one if it is arithmetic. In both,
``x y``, ``x * y`` and ``x @ y`` are products, but ``f(x)``, without a space, is a function's value; ``x[i, j]`` has
indices, ``x^2`` and ``x**2`` are powers, ``|x|`` is absolute. What has more in it than that, such as an attribute, a
keyword or a tuple, is code, and stays code.
"""

from __future__ import annotations

import itertools
import re
from typing import NamedTuple

BLOCK = re.compile(r"^( *)::\n\n((?:\1    .+\n)+)", re.MULTILINE)
LITERAL = re.compile(r"``([^`\n]+)``")
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+\.?\d*(?:e[+-]?\d+)?)|(?P<derivative>d \w+ / d \w+)|(?P<name>[A-Za-z]\w*)"
    r"|(?P<sign>\.\.\.|\*\*|//|<=|>=|[-+*/@^()\[\]|,=<>])"
)
SYMBOLS = {name: rf"\{name}" for name in ("alpha", "beta", "delta", "gamma", "mu", "pi", "rho", "sigma")}
SYMBOLS |= {"eps": r"\varepsilon", "beta1": r"\beta_1", "beta2": r"\beta_2", "infinity": r"\infty"}
FUNCTIONS = {name: rf"\{name}" for name in ("arccos", "arcsin", "arctan", "cosh", "cos", "exp", "ln", "log")}
FUNCTIONS |= {name: rf"\{name}" for name in ("sinh", "sin", "tanh", "tan")}
FUNCTIONS |= {
    "max": r"\operatorname{max}",
    "min": r"\operatorname{min}",
    "log2": r"\log_2 \,",
    "log10": r"\log_{10} \,",
    "sum": r"\sum",
}
AROUND = {"sqrt": r"\sqrt{%s}", "abs": r"\left|%s\right|"}
AROUND |= {"floor": r"\left\lfloor %s \right\rfloor", "ceil": r"\left\lceil %s \right\rceil"}
RELATIONS = {"=": "=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge"}
NOT_NAMES = {
    "where",
    "else",
    "over",
    "of",
    "True",
    "False",
    "None",
    "and",
    "or",
    "not",
    "in",
    "is",
    "for",
    "lambda",
    "by",
}
WORDS = (r"\text", r"\operatorname")
TRANSPOSED = {"T": r"\top"}
SPACED = {"ln", "log", "log2", "log10", "sum"} | {
    name for name in FUNCTIONS if name[:3] in ("sin", "cos", "tan", "arc")
}
INDEXED = {"mu", "p", "step"}
SUM, PREFIX, PRODUCT, POWER, ATOM = 1, 2, 3, 4, 5  # how closely an expression holds together


class Formula(NamedTuple):
    """A part of a formula: its LaTeX, how closely it holds together, and whether there is arithmetic in it."""

    latex: str
    level: int = ATOM
    arithmetic: bool = False

    def within(self, level: int) -> str:
        """Its LaTeX, in parentheses if it holds together less closely than its surroundings."""
        return parentheses(self.latex) if self.level < level else self.latex


def typeset(text: str) -> str:
    """Turn the blocks of formulas of a docstring, and its literals that are formulas, into what Sphinx typesets."""

    def block(found: re.Match[str]) -> str:
        try:
            rows = r" \\ ".join(assignment(line.strip()) for line in found[2].splitlines())
        except ValueError:
            return found[0]
        return f"{found[1]}.. math::\n\n{found[1]}    \\begin{{aligned}} {rows} \\end{{aligned}}\n"

    return in_literals(BLOCK.sub(block, text), ":math:`{}`")


def in_literals(text: str, template: str) -> str:
    """Turn the literals that are formulas into LaTeX, put into the template; examples stay as they are."""

    def literal(found: re.Match[str]) -> str:
        latex = formula(found[1])
        return found[0] if latex is None else template.format(latex)

    lines = text.split("\n")
    return "\n".join(line if line.lstrip().startswith((">>>", "...")) else LITERAL.sub(literal, line) for line in lines)


def formula(text: str) -> str | None:
    """The LaTeX of a formula; None if the text is code, or a name alone."""
    try:
        found = Reader(text).whole()
    except ValueError:
        return None
    return found.latex if found.arithmetic else None


def assignment(line: str) -> str:
    """The LaTeX of ``left = right``, with what stands three spaces further on as words."""
    code, _, words = line.partition("   ")
    left, equals, right = code.partition(" = ")
    if not equals:
        raise ValueError(f"not an assignment: {line}")
    target, value = Reader(left).whole().latex, Reader(right).whole().latex
    again = re.search(rf"(?<![\w\\]){re.escape(target)}(?![\w])", value)
    sign = r"\leftarrow" if again else "="
    return f"{target} &{sign} {value}" + (rf" && \text{{{words.strip()}}}" if words.strip() else "")


class Reader:
    """Reads a formula from left to right: relations of sums of products of powers."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str, bool]] = []  # kind, text, whether a space stands before it
        at, spaced = 0, False
        while at < len(text):
            found = TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not a formula: {text!r}")
            if found.lastgroup != "space":
                self.tokens.append((str(found.lastgroup), found[0], spaced))
            at, spaced = found.end(), found.lastgroup == "space"
        self.tokens.append(("end", "", False))
        self.at = 0
        self.bars = False

    @property
    def next(self) -> str:
        """The text of the next token; empty at the end."""
        return self.tokens[self.at][1]

    def take(self, *texts: str) -> str:
        """Go past the next token, if it is one of these; the empty text otherwise."""
        if self.next not in texts:
            return ""
        self.at += 1
        return self.tokens[self.at - 1][1]

    def expect(self, text: str) -> None:
        """Go past a token that must be there."""
        if not self.take(text):
            raise ValueError(f"{text!r} is missing before {self.next!r}")

    def whole(self) -> Formula:
        """All of the text: a relation, or one of two, as in ``x where x > 0, else 0``."""
        first = self.relation()
        if self.take("where"):
            condition = self.relation()
            self.expect(",")
            self.expect("else")
            other = self.relation()
            rows = rf"{first.latex} & \text{{if }} {condition.latex} \\ {other.latex} & \text{{otherwise}}"
            first = Formula(rf"\begin{{cases}} {rows} \end{{cases}}", SUM, True)
        if self.next:
            raise ValueError(f"not a formula from {self.next!r} on")
        return first

    def relation(self) -> Formula:
        """Sums with signs such as ``<=`` between them, which have a space on either side."""
        found = self.sum()
        while self.next in RELATIONS:
            if not (self.tokens[self.at][2] and self.tokens[self.at + 1][2]):
                raise ValueError("a keyword of a call, not a relation")
            sign = self.take(*RELATIONS)
            other = self.sum()
            says = sign != "=" or len(found.latex) == 1 or found.arithmetic or other.arithmetic
            found = Formula(f"{found.latex} {RELATIONS[sign]} {other.latex}", 0, says)
        return found

    def sum(self) -> Formula:
        """Products, added and subtracted."""
        minus = self.take("-")
        first = self.product()
        found = Formula(f"-{first.within(PREFIX)}", SUM, True) if minus else first
        while sign := self.take("+", "-"):
            other = self.product()
            found = Formula(f"{found.latex} {sign} {other.within(SUM + (sign == '-'))}", SUM, True)
        return found

    def product(self) -> Formula:
        """Powers, multiplied and divided; a fraction has all factors since the last one above its line."""
        done: list[str] = []
        factors = [self.power()]
        written = False  # a sign of the product, rather than words that follow one another
        while True:
            if self.take("*", "@"):
                factors.append(self.power())
            elif sign := self.take("/", "//"):
                over = times(factors, alone=True) if factors else done.pop()
                line = rf"\frac{{{over}}}{{{self.power().latex}}}"
                done.append(line if sign == "/" else rf"\left\lfloor {line} \right\rfloor")
                factors = []
            elif self.begins_a_factor():
                factors.append(self.power())
                written = written or not all(factor.latex.startswith(WORDS) for factor in factors[-2:])
                continue
            else:
                break
            written = True
        if not done and len(factors) == 1:
            return factors[0]
        level = PREFIX if factors and factors[-1].level == PREFIX else PRODUCT
        return Formula(r" \, ".join([*done, times(factors)] if factors else done), level, written)

    def begins_a_factor(self) -> bool:
        """Whether a factor follows without a sign, behind a space."""
        kind, text, spaced = self.tokens[self.at]
        name = kind == "name" and text not in NOT_NAMES
        return spaced and (name or kind in ("number", "derivative") or text == "(" or (text == "|" and not self.bars))

    def power(self) -> Formula:
        """A part to the power of another, from right to left."""
        base = self.part()
        if not self.take("^", "**"):
            return base
        minus = self.take("-")
        above = self.power().latex
        return Formula(f"{base.within(ATOM)}^{{{minus}{TRANSPOSED.get(above, above)}}}", POWER, True)

    def part(self) -> Formula:
        """A number, a name, a function of something, or what stands between parentheses or bars."""
        kind, text, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            digits, _, power = text.partition("e")
            return Formula(digits if not power else (digits != "1") * rf"{digits} \cdot " + f"10^{{{int(power)}}}")
        if kind == "derivative":
            over, under = text[2:].split(" / d ")
            return Formula(rf"\frac{{\partial {letters(over)}}}{{\partial {letters(under)}}}", ATOM, True)
        if text == "(":
            inside = self.relation()
            self.expect(")")
            return inside
        if text == "|" and not self.bars:
            self.bars = True
            inside = self.relation()
            self.expect("|")
            self.bars = False
            return Formula(rf"\left|{inside.latex}\right|", ATOM, True)
        if kind == "name" and text not in NOT_NAMES:
            return self.indexed(self.named(text))
        raise ValueError(f"{text!r} is no part of a formula")

    def named(self, name: str) -> Formula:
        """A name by itself, or a function and what it is taken of."""
        called = self.next == "(" and not self.tokens[self.at][2]
        if name in AROUND and called:
            return Formula(AROUND[name] % self.arguments().latex, ATOM, True)
        if name == "sum" and self.take("over"):
            start = self.at
            while self.next not in ("of", ""):
                self.at += 1
            below = ", ".join(text for kind, text, _ in self.tokens[start : self.at] if kind == "name")
            self.expect("of")
            return Formula(rf"\sum_{{{below}}} {self.product().latex}", PREFIX, True)
        if name in FUNCTIONS:
            argument = self.arguments() if called else self.power()
            plain = name in SPACED and (not called or argument.level >= (PREFIX if name == "sum" else ATOM))
            inside = argument.latex if plain else parentheses(argument.latex)
            return Formula(FUNCTIONS[name] + (f" {inside}" if plain else inside), PREFIX if plain else ATOM, True)
        if not called:
            return Formula(letters(name))
        argument = self.arguments()
        if name in INDEXED and re.search(r"\b[tn]\b", argument.latex):  # of a step
            return Formula(f"{letters(name)}_{{{argument.latex}}}", ATOM, argument.arithmetic)
        function = letters(name) if len(name) == 1 else rf"\operatorname{{{name.replace('_', ' ')}}}"
        return Formula(f"{function}{parentheses(argument.latex)}", ATOM, argument.arithmetic)

    def indexed(self, found: Formula) -> Formula:
        """A part with what stands behind it in brackets, as its indices."""
        if self.next != "[" or self.tokens[self.at][2]:
            return found
        below = self.arguments("[", "]").latex
        return Formula(f"{found.latex}_{{{below}}}", ATOM, len(found.latex) == 1 and r"\text" not in below)

    def arguments(self, opening: str = "(", closing: str = ")") -> Formula:
        """What stands between parentheses, with commas."""
        self.expect(opening)
        parts = [Formula(r"\ldots") if self.take("...") else self.relation()]
        while self.take(","):
            parts.append(Formula(r"\ldots") if self.take("...") else self.relation())
        self.expect(closing)
        if len(parts) == 1:
            return parts[0]
        return Formula(", ".join(part.latex for part in parts), 0, any(part.arithmetic for part in parts))


def parentheses(latex: str) -> str:
    """Parentheses around something, as high as it is."""
    return rf"\left({latex}\right)" if r"\frac" in latex or r"\sum" in latex else f"({latex})"


def times(factors: list[Formula], *, alone: bool = False) -> str:
    """Factors side by side; one that is alone above a line needs no parentheses."""
    if alone and len(factors) == 1:
        return factors[0].latex
    parts = [*(factor.within(PRODUCT) for factor in factors[:-1]), factors[-1].within(PREFIX)]
    signs = [r"\cdot" if both[0][:5] == both[1][:5] == r"\text" else r"\," for both in itertools.pairwise(parts)]
    return parts[0] + "".join(f" {sign} {part}" for sign, part in zip(signs, parts[1:], strict=True))


def letters(name: str) -> str:
    """A name: a letter, a symbol, or words."""
    return SYMBOLS.get(name) or (name if len(name) == 1 else rf"\text{{{name.replace('_', ' ')}}}")
