"""Expressions of rules (CEL): prepared once, evaluated together, and what is wrong with one. Pure."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, TypeAlias

import cel

from ledger.sentences import Sentence
from risk.compiled import Compiled
from risk.operands import Asked, Fields

Variables: TypeAlias = Mapping[str, Mapping[str, Any]]

# Calls, lists, comments and escapes: where these are, a field can not be told from other words by looking.
_INTRICATE = re.compile(r"\w\s*\(|[\[{\\?]|//|\"\"\"|'''|\b[rRbB]+[\"']")
_TEXT_OR_FIELD = re.compile(r"\"[^\"]*\"|'[^']*'|(?<![\w.])([a-z]+)\s*\.\s*([a-z0-9_]+)\b")

_SYNTAX = re.compile(r"<input>:(\d+):(\d+): Syntax error: ([^\n]*)")
_QUOTED = re.compile(r"'(.+?)'(?: |$)")
_UNDEFINED = re.compile(r"Undefined variable or function: '([^']+)'")
_OPERAND = re.compile(r"[\w'\"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`words` is None where only the parser's own `detail` tells; `line` and `column` count from 1, 0 is nowhere."""

    words: Sentence | None = None
    line: int = 0
    column: int = 0
    detail: str = ""

    def told(self, rule: str) -> Sentence:
        """Of the rule of that id."""
        if self.words is None:
            return Sentence("Rule %(rule)s: the expression can not be used.", rule=rule)
        if self.words.endswith("?"):
            return Sentence(
                "Rule %(rule)s: the expression can not be used: %(why)s", rule=rule, why=self.words
            )
        return Sentence("Rule %(rule)s: the expression can not be used: %(why)s.", rule=rule, why=self.words)


def fault(expression: str, problem: Exception, known: Collection[str]) -> Fault:
    """What is wrong with an expression that raised `problem`; `known` are the names that it may use."""
    said = str(problem)
    if isinstance(problem, KeyError):
        return _unknown(expression, rf"\b[a-z]+\s*\.\s*{re.escape(str(problem.args[0]))}\b", known)
    if undefined := _UNDEFINED.search(said):
        return _unknown(expression, rf"\b{re.escape(undefined[1])}\b(\s*\.\s*\w+)*", known)
    if isinstance(problem, TypeError) and "No such overload" in said:
        return Fault(
            words=Sentence(
                "values of two kinds meet, such as a number and a text; texts stand in quotes, numbers do not"
            )
        )
    if syntax := _SYNTAX.search(said):
        complaint = _of_syntax(syntax[3])
        detail = "" if complaint else syntax[3]
        return Fault(words=complaint, line=int(syntax[1]), column=int(syntax[2]), detail=detail[:300])
    return Fault(detail=said.partition("\n")[0][:300])


def _unknown(expression: str, pattern: str, known: Collection[str]) -> Fault:
    found = re.search(pattern, expression)
    if found is None:
        return Fault()
    name = "".join(found[0].split())
    near = get_close_matches(name, known, n=1)
    words = Sentence("there is no %(name)s", name=name)
    if near:
        words = Sentence("there is no %(name)s; did you mean %(near)s?", name=name, near=near[0])
    before = expression[: found.start()]
    return Fault(
        words=words, line=before.count("\n") + 1, column=found.start() - (before.rfind("\n") + 1) + 1
    )


def _of_syntax(said: str) -> Sentence | None:
    """The parser's complaint in words; None where it has another form than those that are known."""
    quoted = _QUOTED.search(said)
    token = quoted[1].strip() if quoted else ""
    if said.startswith("missing"):
        return Sentence("a %(sign)s is missing", sign=token)
    if said.startswith("token recognition error"):
        return _of_token(said, token)
    if token == "<EOF>":
        open_list = re.search(r"expecting \{'\]', ','\}", said)
        early = Sentence("it ends too early; a name or a value is missing here")
        return Sentence("a %(sign)s is missing", sign="]") if open_list else early
    return _of_place(said, token) if said.startswith(("extraneous", "mismatched")) and token else None


def _of_token(said: str, token: str) -> Sentence:
    if token[:1] in ("'", '"') or said.rstrip().endswith(("''", "'\"'")):
        return Sentence("a text has no end; its second quotation mark is missing")
    if token == "=":
        return Sentence("= compares nothing; write == instead")
    return Sentence("the sign %(sign)s is not known", sign=token)


def _of_place(said: str, token: str) -> Sentence:
    if token in (")", "]", "}") and said.startswith("extraneous"):
        return Sentence("there is one %(sign)s too many", sign=token)
    if _OPERAND.match(token) and "<EOF>" in said:
        return Sentence("before %(sign)s an operator is missing, such as &&, || or ==", sign=token)
    return Sentence("%(sign)s can not stand here", sign=token)


@lru_cache(maxsize=4096)
def program(expression: str) -> cel.Program:
    """Raises ValueError for what is no expression."""
    return cel.compile(expression)


def fields_in(expression: str) -> list[tuple[str, str]]:
    """Group and name of every field that stands outside of texts, also where evaluation does not come by."""
    return [(group, name) for group, name in _TEXT_OR_FIELD.findall(expression) if group]


class Together:
    """Several expressions over the same decision. `fields` are those that they may name, by group.

    Plain ones are compiled. Of the others, to hand variables over takes longer than to evaluate, and with groups of
    them ten times as long. So the simple expressions are made into one, which reads just the fields that it names,
    each as a variable of its own: "payment.amount + 1 > 5" as "payment__amount + 1 > 5".
    """

    def __init__(self, expressions: Sequence[str], fields: Mapping[str, Fields]) -> None:
        self._expressions = expressions
        self._plain = Compiled(expressions, fields)
        self._simple = [
            place
            for place, one in enumerate(expressions)
            if place not in self._plain.places and _is_simple(one, fields)
        ]
        self._fields: dict[str, tuple[str, str]] = {}
        listed = ", ".join(
            f"({_TEXT_OR_FIELD.sub(self._named, expressions[place])})" for place in self._simple
        )
        self._at_once = program(f"[{listed}]")
        self._reads = [(name, fields[group][field].read) for name, (group, field) in self._fields.items()]

    def answers(self, asked: Asked, variables: Callable[[], Variables]) -> list[Any]:
        """What each of them says; None where one can not be evaluated. `variables` are asked for if one needs them."""
        found: list[Any] = self._plain.answers(asked)
        if len(found) == len(self._expressions):
            return found
        answers = dict(zip(self._plain.places, found, strict=False))
        answers |= zip(self._simple, self._of_simple(asked), strict=False)
        if len(answers) < len(self._expressions):
            context = cel.Context(variables=dict(variables()))
            for place, one in enumerate(self._expressions):
                if place not in answers:
                    answers[place] = _answer(one, context)
        return [answers[place] for place in range(len(answers))]

    def _of_simple(self, asked: Asked) -> list[Any]:
        """None at all if one of them can not be evaluated."""
        try:
            read = {name: field(asked) for name, field in self._reads}
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


def _is_simple(expression: str, fields: Mapping[str, Fields]) -> bool:
    known = all(name in fields.get(group, ()) for group, name in fields_in(expression))
    return known and not _INTRICATE.search(expression)


def _answer(expression: str, context: cel.Context) -> Any:
    try:
        return program(expression).execute(context)
    except Exception:  # noqa: BLE001
        return None
