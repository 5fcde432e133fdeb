"""Expressions of rules (CEL): compiled once, and evaluated together. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import cel

Variables: TypeAlias = Mapping[str, Mapping[str, Any]]

# Calls, lists, comments and escapes: where these are, a field can not be told from other words by looking.
_INTRICATE = re.compile(r"\w\s*\(|[\[{\\?]|//|\"\"\"|'''|\b[rRbB]+[\"']")
_TEXT_OR_FIELD = re.compile(r"\"[^\"]*\"|'[^']*'|(?<![\w.])([a-z]+)\s*\.\s*([a-z0-9_]+)\b")


@lru_cache(maxsize=4096)
def program(expression: str) -> cel.Program:
    """Raises ValueError for what is no expression."""
    return cel.compile(expression)


class Together:
    """Several expressions over the same variables.

    To hand variables over takes longer than to evaluate, and with groups of them ten times as long. So the simple
    expressions are made into one, which reads just the fields that it names, each as a variable of its own:
    "payment.amount > 5" as "payment__amount > 5".
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        self._expressions = expressions
        self._simple = [place for place, one in enumerate(expressions) if not _INTRICATE.search(one)]
        self._fields: dict[str, tuple[str, str]] = {}
        listed = ", ".join(
            f"({_TEXT_OR_FIELD.sub(self._named, expressions[place])})" for place in self._simple
        )
        self._at_once = program(f"[{listed}]")
        self._reads = [(name, group, field) for name, (group, field) in self._fields.items()]

    def answers(self, variables: Variables) -> list[Any]:
        """What each of them says; None where one can not be evaluated."""
        found = self._of_simple(variables)
        if len(found) == len(self._expressions):
            return found
        answers = dict(zip(self._simple, found, strict=False))
        context = cel.Context(variables=dict(variables))
        return [
            answers[place] if place in answers else _answer(one, context)
            for place, one in enumerate(self._expressions)
        ]

    def _of_simple(self, variables: Variables) -> list[Any]:
        """None at all if one of them can not be evaluated."""
        try:
            read = {name: variables[group][field] for name, group, field in self._reads}
            found: list[Any] = self._at_once.execute(cel.Context(variables=read))
        except Exception:  # noqa: BLE001 -- the evaluator raises whatever its operators raise
            return []
        return found

    def _named(self, found: re.Match[str]) -> str:
        group, field = found.groups()
        if group is None:
            return found[0]
        self._fields[f"{group}__{field}"] = (group, field)
        return f"{group}__{field}"


def _answer(expression: str, context: cel.Context) -> Any:
    try:
        return program(expression).execute(context)
    except Exception:  # noqa: BLE001
        return None
