"""Plain expressions (CEL) as one function of Python. Pure.

CEL says what an expression means, but to hand it a decision's fields takes longer than all the rest of a judgement.
So whatever is plain is compiled: fields compared with literals and fields of their own type, joined by &&, || and !.
There nothing can fail, and both languages say the same; whatever else an expression holds, it is left to CEL.
"""

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from risk.operands import Asked, Field, Fields

_TOKEN = re.compile(
    r"""[ \t\r\n\f]*(?:
        (?P<text>"[^"\\\r\n]*"|'[^'\\\r\n]*')
        |(?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])
        |(?P<truth>true|false)(?![\w.])
        |(?P<group>[a-z]+)[ \t\r\n\f]*\.[ \t\r\n\f]*(?P<name>[a-z0-9_]+)(?!\w)
        |(?P<sign>&&|\|\||[=!<>]=|[<>!()])
        |(?P<end>\Z)
    )""",
    re.VERBOSE,
)
_MOST_TOKENS = 300  # more may be nested deeper than Python compiles
_EXACT = 2**53  # whole numbers up to it are the same as floating point
_ORDERED: dict[str, ast.cmpop] = {"<": ast.Lt(), "<=": ast.LtE(), ">": ast.Gt(), ">=": ast.GtE()}
_COMPARED: dict[str, ast.cmpop] = {"==": ast.Eq(), "!=": ast.NotEq(), **_ORDERED}
_Typed: TypeAlias = tuple[type, ast.expr]


class _NotPlain(Exception):
    """CEL's own."""


class Compiled:
    """Those of `expressions` that are plain. `places` says which."""

    def __init__(self, expressions: Sequence[str], fields: Mapping[str, Fields]) -> None:
        self.places: list[int] = []
        named: dict[str, Field] = {}
        found: list[ast.expr] = []
        for place, expression in enumerate(expressions):
            reader = _Reader(fields)
            try:
                found.append(reader.read(expression))
            except _NotPlain:
                continue
            self.places.append(place)
            named |= reader.named
        self._reads = tuple(field.read for field in named.values())
        self._kinds = tuple(field.kind for field in named.values())
        self._judge = _function(list(named), found)

    def answers(self, asked: Asked) -> list[bool]:
        """What each of them says; none at all where a field is not of its type."""
        values = [read(asked) for read in self._reads]
        return self._judge(*values) if tuple(map(type, values)) == self._kinds else []


def _function(names: Sequence[str], answers: list[ast.expr]) -> Callable[..., list[bool]]:
    arguments = ast.arguments(
        posonlyargs=[ast.arg(name) for name in names], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]
    )
    judge = ast.Expression(ast.Lambda(arguments, ast.List(answers, ast.Load())))
    code = compile(ast.fix_missing_locations(judge), "<rules>", "eval")
    made: Callable[..., list[bool]] = eval(code)  # noqa: S307 -- of comparisons that were built here, never of a text
    return made


class _Reader:
    """Of one expression, from left to right. What it reads, it knows the type of."""

    def __init__(self, fields: Mapping[str, Fields]) -> None:
        self._fields = fields
        self.named: dict[str, Field] = {}

    def read(self, expression: str) -> ast.expr:
        """Raises `_NotPlain`."""
        self._tokens = _tokens(expression)
        kind, found = self._either()
        if kind is not bool or self._tokens[-1].lastgroup != "end":
            raise _NotPlain
        return found

    def _take(self, *signs: str) -> str:
        sign: str = self._tokens[-1]["sign"] or ""
        if sign not in signs:
            return ""
        self._tokens.pop()
        return sign

    def _either(self) -> _Typed:
        return self._joined("||", ast.Or(), self._both)

    def _both(self) -> _Typed:
        return self._joined("&&", ast.And(), self._comparison)

    def _joined(self, sign: str, operator: ast.boolop, inner: Callable[[], _Typed]) -> _Typed:
        found = [inner()]
        while self._take(sign):
            found.append(inner())
        if len(found) == 1:
            return found[0]
        if any(kind is not bool for kind, _ in found):
            raise _NotPlain
        return bool, ast.BoolOp(operator, [value for _, value in found])

    def _comparison(self) -> _Typed:
        kind, left = self._operand()
        sign = self._take(*_COMPARED)
        if not sign:
            return kind, left
        other, right = self._operand()
        kind, left = _as(other, kind, left)
        other, right = _as(kind, other, right)
        if kind is not other or (sign in _ORDERED and kind not in (int, float)):
            raise _NotPlain
        return bool, ast.Compare(left, [_COMPARED[sign]], [right])

    def _operand(self) -> _Typed:
        if self._take("("):
            found = self._either()
            if not self._take(")"):
                raise _NotPlain
            return found
        if self._take("!"):
            kind, value = self._operand()
            if kind is not bool:
                raise _NotPlain
            return bool, ast.UnaryOp(ast.Not(), value)
        token = self._tokens.pop()
        return self._field(token["group"], token["name"]) if token["group"] else _literal(token)

    def _field(self, group: str, name: str) -> _Typed:
        field = self._fields.get(group, {}).get(name)
        if field is None:
            raise _NotPlain
        self.named[f"{group}__{name}"] = field
        return field.kind, ast.Name(f"{group}__{name}", ast.Load())


def _tokens(expression: str) -> list[re.Match[str]]:
    """The last one first."""
    found: list[re.Match[str]] = []
    while not found or found[-1].lastgroup != "end":
        token = _TOKEN.match(expression, found[-1].end() if found else 0)
        if token is None or len(found) == _MOST_TOKENS:
            raise _NotPlain
        found.append(token)
    return found[::-1]


def _literal(token: re.Match[str]) -> _Typed:
    value: Any
    if token["text"]:
        value = token["text"][1:-1]
    elif token["truth"]:
        value = token["truth"] == "true"
    elif token["number"] and abs(float(token["number"])) <= _EXACT:
        value = float(token["number"]) if "." in token["number"] else int(token["number"])
    else:
        raise _NotPlain
    return type(value), ast.Constant(value)


def _as(kind: type, own: type, value: ast.expr) -> _Typed:
    """A whole number that is written where it meets floating point is the same there."""
    if kind is float and own is int and isinstance(value, ast.Constant) and isinstance(value.value, int):
        return float, ast.Constant(float(value.value))
    return own, value
