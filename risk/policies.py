"""Reading a policy's document: everything is checked when it is saved, so that judging can not stumble. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from ledger.money import UnknownCurrency, exponent
from ledger.sentences import Sentence
from risk import trust
from risk.errors import InvalidPolicy, InvalidRule
from risk.facts import (
    AddressFacts,
    BehaviourFacts,
    CustomerFacts,
    DeviceFacts,
    InstrumentFacts,
    PaymentFacts,
)
from risk.features import Evidence, Inputs, calendar_day, inputs_of
from risk.limits import parse as parse_limits
from risk.model_use import ModelUse
from risk.rules import (
    ANY_GROUND,
    BY_THE_BANK,
    PolicyDocument,
    Rule,
    Thresholds,
    check_rule,
    placeholders,
)
from risk.states import Action, ChallengeKind
from risk.variables import NAMED

LANGUAGES = ("en", "zh")
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,59}\Z")
_MODEL = re.compile(r"[a-zA-Z0-9_-]{1,40}@[0-9]{1,8}\Z")
_SHARES = {"sample_per_mille", "second_look_per_mille"}  # may be left out: nobody looks then
_OPTIONAL = {"challenge"}  # beside the thresholds
_MOST = {"verify_device_from": 10**12}  # of a threshold that is an amount
# A browser tells these, so a rule may raise a score by them and not lower it.
_UNTRUSTED = re.compile(r"\bbehaviour\b|\bfingerprint_")
_MOST_ASKED = {"challenge_from": 10**6, "challenge_above": 10**12}
_ASKS = set(_MOST_ASKED)
_ACTIONS = tuple(one for one in Action if one != Action.ACCEPT)
_RULE_FIELDS = {"id", "version", "expression", "weight", "action", "message"}
_RULE_OPTIONS = {"owner", "expires_on"}


@cache
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
        behaviour=BehaviourFacts(seconds_on_page=4, keystrokes=0, keystroke_ms=0, pastes=9),
        coupon=True,
    )
    counts = {"customer": 11, "card": 11, "device": 11}
    return (
        inputs_of(bare, Evidence(payments_last_minute={}), {}),
        inputs_of(full, Evidence(payments_last_minute=counts), {}),
    )


def named_fields() -> list[tuple[str, Sentence]]:
    """What an expression may name, with its type."""
    words = {
        bool: Sentence("true or false"),
        int: Sentence("whole number"),
        float: Sentence("number"),
        str: Sentence("text"),
    }
    return [(name, words[field.kind]) for name, field in NAMED.items()]


def parse(
    *,
    name: str,
    rules: Any,
    thresholds: Any,
    limits: Any,
    rates: Any,
    model: Any = None,
) -> PolicyDocument:
    """The document of a policy. Raises `InvalidRule` (param: the rule) or `InvalidPolicy` (param: the field)."""
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise InvalidPolicy(Sentence("The rules must be a list."), param="rules")
    parsed_rates = _rates(rates)
    parsed = tuple(_rule(raw, position) for position, raw in enumerate(rules, 1))
    seen: set[str] = set()
    for rule in parsed:
        if rule.id in seen:
            raise InvalidRule(Sentence("Rule %(rule)s is there twice.", rule=rule.id), param=rule.id)
        seen.add(rule.id)
        for inputs in _trial_inputs():
            check_rule(rule, inputs, parsed_rates)
    return PolicyDocument(
        name=name,
        rules=parsed,
        thresholds=_thresholds(thresholds),
        limits=parse_limits(limits),
        challenge=_challenge(thresholds),
        rates=parsed_rates,
        model=_model(model) if model else None,
    )


def _rule(raw: Any, position: int) -> Rule:
    if not isinstance(raw, Mapping) or not _IDENTIFIER.match(str(raw.get("id", ""))):
        raise InvalidRule(
            Sentence("Rule %(rule)s needs an id in lower case.", rule=position),
            param=f"rules[{position - 1}]",
        )
    name = str(raw["id"])
    if set(raw) - _RULE_OPTIONS != _RULE_FIELDS:
        odd = tuple(sorted((set(raw) - _RULE_OPTIONS) ^ _RULE_FIELDS))
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s must have exactly id, version, … message; look at: %(odd)s.",
                rule=name,
                odd=odd,
            ),
            param=name,
        )
    _options(name, raw)
    if not _is_int(raw["version"], 1, 10**6) or not _is_int(raw["weight"], -100, 100):
        raise InvalidRule(
            Sentence("Rule %(rule)s needs a version from 1 and a weight from -100 to 100.", rule=name),
            param=name,
        )
    if raw["action"] not in ("", *_ACTIONS):
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s: the action is empty or one of %(actions)s.", rule=name, actions=_ACTIONS
            ),
            param=name,
        )
    expression = _expression(name, raw)
    if raw["weight"] < 0 and _UNTRUSTED.search(expression):
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s: what a browser says of itself can not lower a score; look at the weight.",
                rule=name,
            ),
            param=name,
        )
    return Rule(**{**raw, "expression": expression, "message": _message(name, raw["message"])})


def _options(name: str, raw: Mapping[str, Any]) -> None:
    owner, expires_on = raw.get("owner", ""), raw.get("expires_on", "")
    if not isinstance(owner, str) or len(owner) > 80:
        raise InvalidRule(
            Sentence("Rule %(rule)s: the owner is a name of at most 80 characters.", rule=name), param=name
        )
    try:
        valid = not expires_on or date.fromisoformat(expires_on).isoformat() == expires_on
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise InvalidRule(
            Sentence("Rule %(rule)s: expires_on is a day like 2026-12-31, or empty.", rule=name), param=name
        )


WARN_DAYS = 14


def ending(rule: Mapping[str, Any], now: datetime) -> int | None:
    """Days that a stored rule still judges after today, negative once it does no more; None where it has long."""
    if not rule.get("expires_on"):
        return None
    left = (date.fromisoformat(rule["expires_on"]) - calendar_day(now)).days
    return left if left <= WARN_DAYS else None


def _expression(name: str, raw: Mapping[str, Any]) -> str:
    expression = raw["expression"]
    if not isinstance(expression, str) or not 0 < len(expression) <= 2000:
        raise InvalidRule(
            Sentence("Rule %(rule)s needs an expression of at most 2,000 characters.", rule=name), param=name
        )
    return expression


def _message(name: str, message: Any) -> dict[str, str]:
    if not isinstance(message, Mapping) or not all(message.get(language) for language in LANGUAGES):
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s needs a message in each of %(languages)s.", rule=name, languages=LANGUAGES
            ),
            param=name,
        )
    words = {language: str(text) for language, text in message.items()}
    unknown = [placeholder for placeholder in placeholders(words) if placeholder not in NAMED]
    if unknown:
        raise InvalidRule(
            Sentence(
                "Rule %(rule)s: the message names %(name)s, which does not exist.", rule=name, name=unknown[0]
            ),
            param=name,
        )
    return words


def _thresholds(raw: Any) -> Thresholds:
    names = [one.name for one in fields(Thresholds)]
    needed = {one.name for one in fields(Thresholds) if one.default is MISSING}
    if not isinstance(raw, Mapping) or not needed <= set(raw) - _OPTIONAL <= set(names):
        raise InvalidPolicy(
            Sentence("The thresholds are exactly %(names)s.", names=tuple(names)), param="thresholds"
        )
    for name in _SHARES & set(raw):
        if not _is_int(raw[name], 0, 1000):
            raise InvalidPolicy(
                Sentence("The share %(name)s must be a whole number from 0 to 1000.", name=name), param=name
            )
    given = {name: raw[name] for name in names if name in raw}
    for name in given:
        if not _is_int(raw[name], 0, most := _MOST.get(name, 9999)):
            raise InvalidPolicy(
                Sentence(
                    "Threshold %(name)s must be a whole number from 0 to %(most)s.", name=name, most=most
                ),
                param=name,
            )
    parsed = Thresholds(**given)
    if not parsed.medium_above <= parsed.challenge_above <= parsed.high_above < parsed.reject_from:
        raise InvalidPolicy(
            Sentence("medium_above ≤ challenge_above ≤ high_above < reject_from must hold."),
            param="thresholds",
        )
    if parsed.review_minutes < 1:
        raise InvalidPolicy(Sentence("A person needs at least a minute."), param="review_minutes")
    return parsed


def _challenge(thresholds: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    raw = thresholds.get("challenge", BY_THE_BANK)
    if not isinstance(raw, Mapping) or ANY_GROUND not in raw:
        raise InvalidPolicy(
            Sentence(
                'challenge is an object: a ground\'s code, or "*" for any, to a list of kinds; "*" must be there.'
            ),
            param="challenge",
        )
    for ground, kinds in raw.items():
        listed = isinstance(kinds, (list, tuple)) and 0 < len(kinds) == len(set(map(str, kinds)))
        if not listed or not all(kind in list(ChallengeKind) for kind in kinds):
            raise InvalidPolicy(
                Sentence(
                    "challenge %(ground)s: list some of %(kinds)s, each once.",
                    ground=str(ground)[:60],
                    kinds=tuple(ChallengeKind),
                ),
                param="challenge",
            )
    read = {str(ground): tuple(kinds) for ground, kinds in raw.items()}
    return {trust.UNVERIFIED: trust.PROOFS, **read} if thresholds.get("verify_device_from") else read


def _model(raw: Any) -> ModelUse:
    names = {"name", "points"}
    points = raw.get("points") if isinstance(raw, Mapping) and names <= set(raw) <= names | _ASKS else None
    if not isinstance(points, Sequence) or not _MODEL.match(str(raw["name"])):
        raise InvalidPolicy(
            Sentence(
                'The model is {"name": "default@3", "points": [[ppm, points], …]}; it may have challenge_from (ppm)'
                " and challenge_above (CNY minor units)."
            ),
            param="model",
        )
    for pair in points:
        pairs = isinstance(pair, Sequence) and len(pair) == 2
        if not (pairs and _is_int(pair[0], 0, 10**6) and _is_int(pair[1], 0, 9999)):
            raise InvalidPolicy(
                Sentence("Points of a model: from 0 to 1000000 ppm, 0 to 9999 points."), param="model"
            )
    asks = {name: raw[name] for name in _ASKS & set(raw)}
    if not all(_is_int(value, 0, _MOST_ASKED[name]) for name, value in asks.items()):
        raise InvalidPolicy(
            Sentence("challenge_from is 0 to 1000000 ppm, challenge_above CNY minor units."), param="model"
        )
    return ModelUse(name=raw["name"], points=tuple((least, points) for least, points in points), **asks)


def _rates(raw: Any) -> dict[str, Decimal]:
    if not isinstance(raw, Mapping):
        raise InvalidPolicy(
            Sentence("The rates are an object: currency to CNY for one major unit."), param="rates"
        )
    return {_currency(currency): _rate(value) for currency, value in raw.items()}


def _currency(code: Any) -> str:
    try:
        exponent(str(code))
    except UnknownCurrency as problem:
        raise InvalidPolicy(
            Sentence("Rates: %(code)s is no currency.", code=str(code)[:20]), param="rates"
        ) from problem
    return str(code)


def _rate(value: Any) -> Decimal:
    try:
        parsed = Decimal(value) if isinstance(value, str) else Decimal("NaN")
    except InvalidOperation:
        parsed = Decimal("NaN")
    if not (parsed.is_finite() and 0 < parsed < 10**6):
        raise InvalidPolicy(
            Sentence("Rates: %(value)s is not a positive decimal number in quotes.", value=repr(value)[:60]),
            param="rates",
        )
    return parsed


def _is_int(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most
