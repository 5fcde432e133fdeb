"""Expressions of rules (CEL): compiled once, and evaluated together. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cel

Variables: TypeAlias = Mapping[str, Mapping[str, Any]]


@lru_cache(maxsize=4096)
def program(expression: str) -> cel.Program:
    """Raises ValueError for what is no expression."""
    return cel.compile(expression)


class Together:
    """Several expressions over the same variables: to hand those over and to begin takes longer than to evaluate."""

    def __init__(self, expressions: Sequence[str]) -> None:
        self._expressions = expressions
        # A line of its own ends a comment.
        self._whole = program("[" + ", ".join(f"({expression}\n)" for expression in expressions) + "]")
        self._read = {name: _fields(name, self._whole.source) for name in self._whole.variables()}

    def answers(self, variables: Variables) -> list[Any]:
        """What each of them says; None where one can not be evaluated."""
        context = cel.Context(variables=self._of(variables))
        try:
            return list(self._whole.execute(context))
        except Exception:  # noqa: BLE001 -- the evaluator raises whatever its operators raise
            return [_answer(expression, context) for expression in self._expressions]

    def _of(self, variables: Variables) -> dict[str, Mapping[str, Any]]:
        """What of the variables is read at all."""
        return {
            name: variables[name] if read is None else {k: v for k, v in variables[name].items() if k in read}
            for name, read in self._read.items()
            if name in variables
        }


def _answer(expression: str, context: cel.Context) -> Any:
    try:
        return program(expression).execute(context)
    except Exception:  # noqa: BLE001
        return None


def _fields(name: str, source: str) -> frozenset[str] | None:
    """The fields of a variable that an expression reads; None when it takes it as a whole, or that can not be told."""
    found = re.findall(rf"\b{name}\b(?:\s*\.\s*([a-zA-Z_]\w*)\b(?!\s*\())?", source)
    return frozenset(found) if found and all(found) else None
