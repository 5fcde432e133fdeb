"""Reading a policy's document: everything is checked when it is saved, so that judging can not stumble. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from ledger.money import UnknownCurrency, exponent
from risk.errors import InvalidPolicy, InvalidRule
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts
from risk.features import Evidence, Inputs, inputs_of
from risk.rules import (
    ANY_GROUND,
    BY_THE_BANK,
    Limit,
    PolicyDocument,
    Rule,
    Thresholds,
    check_rule,
    placeholders,
    variables,
)
from risk.states import Action, ChallengeKind

LANGUAGES = ("en", "zh")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
_OPTIONAL = {"challenge"}  # beside the thresholds
_RULE_FIELDS = {"id", "version", "expression", "weight", "action", "message"}


def _trial_inputs() -> tuple[Inputs, ...]:
    """A rule must have an answer where nothing is known, and where everything is."""
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    bare = PaymentFacts(stage="payment", subject="pay_1", amount=0, currency="XXX", happened_at=moment)
    full = PaymentFacts(
        stage="order",
        subject="ord_1",
        amount=800_000,
        currency="CNY",
        happened_at=moment,
        customer=CustomerFacts(reference="cus_1", paid_orders=3, registered_at=moment, verification_level=2),
        instrument=InstrumentFacts(kind="card", country="US", brand="visa"),
        delivery=AddressFacts(country="CN"),
        device=DeviceFacts(identifier="dev_1", is_new=True, ip_country="US", is_proxy=True),
    )
    counts = {"customer": 11, "card": 11, "device": 11}
    return (
        inputs_of(bare, Evidence(payments_last_minute={}), {}),
        inputs_of(full, Evidence(payments_last_minute=counts), {}),
    )


def parse(
    *,
    name: str,
    rules: Any,
    thresholds: Any,
    limits: Any,
    rates: Any,
) -> PolicyDocument:
    """The document of a policy. Raises `InvalidRule` (param: the rule) or `InvalidPolicy` (param: the field)."""
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise InvalidPolicy("The rules must be a list.", param="rules")
    parsed_rates = _rates(rates)
    parsed = tuple(_rule(raw, position) for position, raw in enumerate(rules, 1))
    seen: set[str] = set()
    for rule in parsed:
        if rule.id in seen:
            raise InvalidRule(f"Rule {rule.id} is there twice.", param=rule.id)
        seen.add(rule.id)
        for inputs in _trial_inputs():
            check_rule(rule, inputs, parsed_rates)
    return PolicyDocument(
        name=name,
        rules=parsed,
        thresholds=_thresholds(thresholds),
        challenge=_challenge(thresholds),
        limits=_limits(limits),
        rates=parsed_rates,
    )


def _rule(raw: Any, position: int) -> Rule:
    if not isinstance(raw, Mapping) or not _IDENTIFIER.match(str(raw.get("id", ""))):
        raise InvalidRule(f"Rule {position} needs an id in lower case.", param=f"rules[{position - 1}]")
    name = str(raw["id"])
    if set(raw) != _RULE_FIELDS:
        odd = ", ".join(sorted(set(raw) ^ _RULE_FIELDS))
        raise InvalidRule(
            f"Rule {name} must have exactly id, version, … message; look at: {odd}.", param=name
        )
    if not _is_int(raw["version"], 1, 10**6) or not _is_int(raw["weight"], -100, 100):
        raise InvalidRule(f"Rule {name} needs a version from 1 and a weight from -100 to 100.", param=name)
    if raw["action"] not in ("", *Action) or raw["action"] == Action.ACCEPT:
        raise InvalidRule(f'Rule {name}: the action is "", challenge, review or reject.', param=name)
    return Rule(**{**raw, "expression": _expression(name, raw), "message": _message(name, raw["message"])})


def _expression(name: str, raw: Mapping[str, Any]) -> str:
    expression = raw["expression"]
    if not isinstance(expression, str) or not 0 < len(expression) <= 2000:
        raise InvalidRule(f"Rule {name} needs an expression of at most 2,000 characters.", param=name)
    return expression


def _message(name: str, message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping) or not all(message.get(language) for language in LANGUAGES):
        raise InvalidRule(f"Rule {name} needs a message in {' and '.join(LANGUAGES)}.", param=name)
    words = {language: str(text) for language, text in message.items()}
    known = {
        f"{group}.{item}" for group, items in variables(_trial_inputs()[0], {}).items() for item in items
    }
    unknown = [placeholder for placeholder in placeholders(words) if placeholder not in known]
    if unknown:
        raise InvalidRule(f"Rule {name}: the message names {unknown[0]}, which does not exist.", param=name)
    return words


def _thresholds(raw: Any) -> Thresholds:
    names = [one.name for one in fields(Thresholds)]
    if not isinstance(raw, Mapping) or set(raw) - _OPTIONAL != set(names):
        raise InvalidPolicy(f"The thresholds are exactly {', '.join(names)}.", param="thresholds")
    for name in names:
        if not _is_int(raw[name], 0, 9999):
            raise InvalidPolicy(f"Threshold {name} must be a whole number from 0 to 9999.", param=name)
    parsed = Thresholds(**{name: raw[name] for name in names})
    if not parsed.medium_above <= parsed.challenge_above <= parsed.high_above < parsed.reject_from:
        raise InvalidPolicy(
            "medium_above ≤ challenge_above ≤ high_above < reject_from must hold.", param="thresholds"
        )
    if parsed.review_minutes < 1:
        raise InvalidPolicy("A person needs at least a minute.", param="review_minutes")
    return parsed


def _challenge(thresholds: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    raw = thresholds.get("challenge", BY_THE_BANK)
    if not isinstance(raw, Mapping) or ANY_GROUND not in raw:
        raise InvalidPolicy(
            'challenge is an object: a ground\'s code, or "*" for any, to a list of kinds; "*" must be there.',
            param="challenge",
        )
    for ground, kinds in raw.items():
        listed = isinstance(kinds, (list, tuple)) and 0 < len(kinds) == len(set(map(str, kinds)))
        if not listed or not all(kind in list(ChallengeKind) for kind in kinds):
            raise InvalidPolicy(
                f"challenge {str(ground)[:60]}: list some of {', '.join(ChallengeKind)}, each once.",
                param="challenge",
            )
    return {str(ground): tuple(kinds) for ground, kinds in raw.items()}


def _limits(raw: Any) -> dict[int, Limit]:
    if not isinstance(raw, Mapping):
        raise InvalidPolicy(
            "The limits are an object: verification level to payment and day.", param="limits"
        )
    for level, limit in raw.items():
        whole = isinstance(limit, Mapping) and set(limit) == {"payment", "day"}
        if not (
            str(level).isdecimal() and whole and all(_is_int(most, 0, 10**15) for most in limit.values())
        ):
            raise InvalidPolicy(
                f"Limit of level {level} needs payment and day in CNY minor units.", param="limits"
            )
    return {int(level): Limit(**limit) for level, limit in raw.items()}


def _rates(raw: Any) -> dict[str, Decimal]:
    if not isinstance(raw, Mapping):
        raise InvalidPolicy("The rates are an object: currency to CNY for one major unit.", param="rates")
    try:
        for currency in raw:
            exponent(str(currency))
        return {str(currency): _rate(value) for currency, value in raw.items()}
    except (ValueError, UnknownCurrency) as problem:
        raise InvalidPolicy(f"Rates: {problem}", param="rates") from problem


def _rate(value: Any) -> Decimal:
    try:
        parsed = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation as problem:
        raise ValueError(f"{value!r} is not a decimal number") from problem
    if not (parsed.is_finite() and 0 < parsed < 10**6):
        raise ValueError(f"{value!r} is not a positive decimal number in quotes")
    return parsed


def _is_int(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
