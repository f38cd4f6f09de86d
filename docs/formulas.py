"""Formulas of docstrings, written in Python so that they can be read in a terminal, as LaTeX."""

from __future__ import annotations

import ast
import re

BLOCK = re.compile(r"^( *)::\n\n((?:\1    .+\n)+)", re.MULTILINE)
GREEK = {
    "eps": r"\varepsilon",
    "rho": r"\rho",
    "mu": r"\mu",
    "beta": r"\beta",
    "beta1": r"\beta_1",
    "beta2": r"\beta_2",
}
LEVELS = {ast.Add: 1, ast.Sub: 1, ast.Mult: 2, ast.Div: 2, ast.Pow: 3}


def typeset_blocks(text: str) -> str:
    """Turn blocks of assignments into formulas, a line each; a block that is no Python stays as it is."""

    def formula(found: re.Match[str]) -> str:
        try:
            rows = [assignment(line.strip()) for line in found[2].splitlines()]
        except (SyntaxError, TypeError):
            return found[0]
        body = r" \\ ".join(rows)
        return f"{found[1]}.. math::\n\n{found[1]}    \\begin{{aligned}} {body} \\end{{aligned}}\n"

    return BLOCK.sub(formula, text)


def assignment(line: str) -> str:
    """The LaTeX of ``left = right``, with what stands three spaces further on as words."""
    code, _, words = line.partition("   ")
    left, _, right = code.partition(" = ")
    target, value = (ast.parse(side.strip(), mode="eval").body for side in (left, right))
    again = ast.dump(target) in ast.dump(value)
    sign = r"\leftarrow" if again else "="
    return f"{latex(target)} &{sign} {latex(value)}" + (rf" && \text{{{words.strip()}}}" if words.strip() else "")


def latex(node: ast.expr, level: int = 0) -> str:
    """The LaTeX of an expression, in parentheses if it binds less than its surroundings."""
    match node:
        case ast.Name(id=name):
            return GREEK.get(name) or (name if len(name) == 1 else rf"\text{{{name.replace('_', ' ')}}}")
        case ast.Constant(value=int() | float() as number):
            return str(number)
        case ast.Call(func=ast.Name(id="sqrt"), args=[inside]):
            return rf"\sqrt{{{latex(inside)}}}"
        case ast.Call(func=ast.Name(id="abs"), args=[inside]):
            return rf"\left|{latex(inside)}\right|"
        case ast.Call(func=ast.Name(id="max"), args=[one, other]):
            return rf"\max\left({latex(one)}, {latex(other)}\right)"
        case ast.Call(func=ast.Name() as function, args=[at]):
            return f"{latex(function)}_{{{latex(at)}}}"
        case ast.BinOp(left=over, op=ast.Div(), right=under):
            return rf"\frac{{{latex(over)}}}{{{latex(under)}}}"
        case ast.BinOp(left=base, op=ast.Pow(), right=power):
            return f"{latex(base, 3)}^{{{latex(power)}}}"
        case ast.BinOp(left=left, op=op, right=right) if type(op) in LEVELS:
            own = LEVELS[type(op)]
            sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: r"\,"}[type(op)]
            after = latex(right, own + 1 if isinstance(op, ast.Sub) else own)
            text = f"{latex(left, own)} {sign} {after}"
            return rf"\left({text}\right)" if own < level else text
    raise TypeError(f"not typeset: {ast.dump(node)}")
