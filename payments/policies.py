"""Reading a routing policy: everything is checked when it is saved, so that routing can not stumble. Pure."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from payments.errors import InvalidRoutingPolicy
from payments.routing import Case, RoutingDocument, RoutingRule, applies

THEN = ("prefer", "exclude", "only")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
_FIELDS = {"id", "when", "then", "channels", "why"}
_POINTS = {"cost", "success", "least"}
_TRIALS = (
    Case(reference="ord_1", method="card", amount=0, currency="XXX"),
    Case(reference="ord_2", method="alipay", amount=800_000, currency="CNY", country="CN", device="phone"),
)


def parse(*, name: str, rules: Any, points: Any, channels: Collection[str]) -> RoutingDocument:
    """The document of a policy over these channels. Raises `InvalidRoutingPolicy` (param: the rule's id or field)."""
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise InvalidRoutingPolicy("The rules must be a list.", param="rules")
    parsed = tuple(_rule(raw, position, channels) for position, raw in enumerate(rules, 1))
    if len({rule.id for rule in parsed}) != len(parsed):
        raise InvalidRoutingPolicy("Two rules have the same id.", param="rules")
    if not isinstance(points, Mapping) or set(points) != _POINTS:
        raise InvalidRoutingPolicy("The points are exactly cost, success and least.", param="points")
    for field, value in points.items():
        if type(value) is not int or not 0 <= value <= 10_000:
            raise InvalidRoutingPolicy(f"{field} must be a whole number from 0 to 10000.", param=field)
    return RoutingDocument(name=name, rules=parsed, seed=name.partition("@")[0], **points)


def _rule(raw: Any, position: int, channels: Collection[str]) -> RoutingRule:
    if not isinstance(raw, Mapping) or not _IDENTIFIER.match(str(raw.get("id", ""))):
        raise InvalidRoutingPolicy(
            f"Rule {position} needs an id in lower case.", param=f"rules[{position - 1}]"
        )
    name = str(raw["id"])
    if set(raw) != _FIELDS:
        odd = ", ".join(sorted(set(raw) ^ _FIELDS))
        raise InvalidRoutingPolicy(
            f"Rule {name} must have exactly id, when, then, channels, why; look at: {odd}.", param=name
        )
    if raw["then"] not in THEN:
        raise InvalidRoutingPolicy(f"Rule {name}: then is prefer, exclude or only.", param=name)
    named = raw["channels"]
    if not isinstance(named, Sequence) or isinstance(named, str) or not named or set(named) - set(channels):
        raise InvalidRoutingPolicy(
            f"Rule {name}: channels is a list out of {', '.join(channels)}.", param=name
        )
    if not isinstance(raw["when"], str) or not 0 < len(raw["when"]) <= 2000:
        raise InvalidRoutingPolicy(
            f"Rule {name} needs an expression of at most 2,000 characters.", param=name
        )
    rule = RoutingRule(
        id=name, when=raw["when"], then=raw["then"], channels=tuple(named), why=str(raw["why"])[:300]
    )
    _try(rule)
    return rule


def _try(rule: RoutingRule) -> None:
    for case in _TRIALS:
        try:
            applies(rule, case)
        except Exception as problem:  # the evaluator raises whatever its operators raise
            said = str(problem).partition("\n")[0][:300]
            raise InvalidRoutingPolicy(
                f"Rule {rule.id}: the expression can not be used. {said}", param=rule.id
            ) from problem
