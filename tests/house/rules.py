"""Rules of the house that neither ruff nor import-linter can hold: `python -m tests.house.rules` names each breach.

Every rule takes one parsed file and yields the breaches in it; `test_rules.py` plants an offender for each.
"""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "reconciliation", "checkout", "payments", "risk", "ledger")
MONEY_APPS = ("reconciliation", "checkout", "payments", "ledger")
LONGEST_FUNCTION = 50
LONGEST_FILE = 400


@dataclass(frozen=True)
class Source:
    """A file of the project: where it is (from the root, with slashes), its text and its tree."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @property
    def app(self) -> str:
        return self.path.parts[0]

    @property
    def module(self) -> str:
        """The part of the app that it belongs to: "models", "services", "outbox"…"""
        return self.path.parts[1].removesuffix(".py") if len(self.path.parts) > 1 else ""

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Of the whole tree, which is walked once for all rules."""
        return list(ast.walk(self.tree))

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in self.nodes if isinstance(node, ast.Call))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (n for n in self.nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


@dataclass(frozen=True, slots=True)
class Breach:
    path: PurePosixPath
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


Rule = Callable[[Source], Iterator[Breach]]
RULES: list[Rule] = []


def _rule(rule: Rule) -> Rule:
    RULES.append(rule)
    return rule


@_rule
def state_is_written_by_models(source: Source) -> Iterator[Breach]:
    """One method changes a state, and it is a transition of the model."""
    if source.app not in APPS or source.module == "models":
        return
    for node in source.nodes:
        if not isinstance(node, ast.stmt):
            continue
        if any(isinstance(target, ast.Attribute) and target.attr == "state" for target in _targets(node)):
            yield Breach(source.path, node.lineno, "`.state =` belongs to a transition of the model")
    for call in source.calls():
        if _method(call) == "update" and "state" in _keywords(call):
            yield Breach(
                source.path, call.lineno, "`update(state=…)` belongs to a method of the model's queryset"
            )


@_rule
def rows_are_locked_by_models(source: Source) -> Iterator[Breach]:
    """`locked()` is the only place that locks, so that the order of locks is known."""
    if source.app in APPS and source.module != "models":
        yield from _method_calls(source, {"select_for_update"}, "lock by a `locked()` method of the model")


@_rule
def no_float_near_money(source: Source) -> Iterator[Breach]:
    if source.app not in MONEY_APPS:
        return
    for call in source.calls():
        if _name(call.func) in {"float", "FloatField"}:
            yield Breach(source.path, call.lineno, "money is integers in minor units, never a float")


@_rule
def saves_name_their_fields(source: Source) -> Iterator[Breach]:
    """A save of all columns overwrites what another transaction has changed meanwhile."""
    if source.app not in APPS:
        return
    for call in source.calls():
        if (
            _method(call) != "save"
            or _keywords(call) & {"update_fields", "force_insert"}
            or _saves_no_row(call)
        ):
            continue
        yield Breach(
            source.path, call.lineno, "`save(update_fields=[…])`; a new row by `save(force_insert=True)`"
        )


@_rule
def work_is_queued_behind_the_outbox(source: Source) -> Iterator[Breach]:
    """A task that is sent inside a transaction may run before it commits, or although it does not."""
    if source.app in APPS and source.module not in {"outbox", "tasks", "subscribers"}:
        told = "publish an event, or leave it to the schedule"
        yield from _method_calls(source, {"delay", "apply_async", "send_task"}, told)


@_rule
def transactions_belong_to_use_cases(source: Source) -> Iterator[Breach]:
    """A durable transaction proves that nobody has opened one around it. config has no services."""
    if source.app not in APPS:
        return
    savepoints = _savepoints(source)
    for node in source.nodes:
        if not isinstance(node, ast.Attribute | ast.Name) or _name(node) != "atomic":
            continue
        if source.app != "config" and source.module != "services":
            yield Breach(source.path, node.lineno, "a transaction is opened by a use case in services")
        elif not _durable(source, node) and node not in savepoints:
            yield Breach(source.path, node.lineno, "`transaction.atomic(durable=True)`")


@_rule
def a_service_is_one_function(source: Source) -> Iterator[Breach]:
    """services/<verb>.py holds `def <verb>(*, …)` and nothing else that is public."""
    if source.app not in APPS or source.module != "services" or source.path.name == "__init__.py":
        return
    public = [
        node
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]
    if [node.name for node in public] != [source.path.stem]:
        yield Breach(source.path, 1, f"one public function, called {source.path.stem}")
    for node in public:
        if node.args.args or node.args.posonlyargs or node.args.vararg:
            yield Breach(source.path, node.lineno, "a use case takes keyword arguments only")


@_rule
def functions_are_short(source: Source) -> Iterator[Breach]:
    for node in source.functions():
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > LONGEST_FUNCTION:
            yield Breach(
                source.path, node.lineno, f"{node.name} has {length} lines, at most {LONGEST_FUNCTION}"
            )


@_rule
def files_are_short(source: Source) -> Iterator[Breach]:
    length = source.text.count("\n")
    if length > LONGEST_FILE:
        yield Breach(source.path, 1, f"{length} lines, at most {LONGEST_FILE}")


def _targets(node: ast.stmt) -> list[ast.expr]:
    if isinstance(node, ast.Assign):
        return [part for target in node.targets for part in _unpacked(target)]
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign) else []


def _unpacked(target: ast.expr) -> list[ast.expr]:
    return target.elts if isinstance(target, ast.Tuple | ast.List) else [target]


def _method(call: ast.Call) -> str:
    return _name(call.func) if isinstance(call.func, ast.Attribute) else ""


def _keywords(call: ast.Call) -> set[str]:
    return {keyword.arg for keyword in call.keywords if keyword.arg}


def _method_calls(source: Source, names: set[str], told: str) -> Iterator[Breach]:
    for call in source.calls():
        if _method(call) in names:
            yield Breach(source.path, call.lineno, f"`.{_method(call)}(`: {told}")


def _name(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _saves_no_row(call: ast.Call) -> bool:
    """`super().save(…)` passes on what it was given; a session and a form are no rows."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(receiver, ast.Call):
        return _name(receiver.func) == "super"
    return _name(receiver) in {"session", "form"}


def _durable(source: Source, atomic: ast.AST) -> bool:
    return any(call.func is atomic and "durable" in _keywords(call) for call in source.calls())


def _savepoints(source: Source) -> set[ast.AST]:
    """Every `atomic` of a `try` that catches IntegrityError: the transaction around it must survive that."""
    return {
        part
        for node in source.nodes
        if isinstance(node, ast.Try)
        and any(_name(handler.type) == "IntegrityError" for handler in node.handlers)
        for statement in node.body
        if isinstance(statement, ast.With)
        for item in statement.items
        for part in ast.walk(item.context_expr)
    }


def sources(root: Path = ROOT) -> Iterator[Source]:
    """Every Python file that git knows or would add, without migrations."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout.split("\n")
    for name in sorted(filter(None, set(names))):
        path = PurePosixPath(name)
        if "migrations" not in path.parts and (root / path).is_file():
            text = (root / path).read_text(encoding="utf-8")
            yield Source(path, text, ast.parse(text, filename=name))


def breaches(source: Source) -> list[Breach]:
    return [breach for rule in RULES for breach in rule(source)]


def main() -> int:
    found = [breach for source in sources() for breach in breaches(source)]
    print("\n".join(map(str, found)), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
