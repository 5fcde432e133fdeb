"""What an expression may name, from a decision's inputs. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ledger.money import UnknownCurrency, exponent
from risk import behaviour, coupons, readings, rings, trust
from risk.features import Inputs, whole
from risk.limits import CURRENCY
from risk.operands import Asked, Field, Fields, asked


def in_cny(amount: int, currency: str, rates: Mapping[str, Decimal]) -> int | None:
    """`amount` in CNY minor units, or None when no rate is known."""
    if currency == CURRENCY:
        return whole(amount)
    rate = rates.get(currency)
    if rate is None:
        return None
    try:
        shift = exponent(CURRENCY) - exponent(currency)
    except UnknownCurrency:
        return None
    return whole(int((Decimal(amount).scaleb(shift) * rate).to_integral_value(ROUND_HALF_UP)))


def variables(
    inputs: Inputs,
    rates: Mapping[str, Decimal],
    named: Collection[tuple[str, str]] | None = None,
    groups: Collection[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """What an expression may name, of these `groups`: of signals and velocities all, or only those that are `named`."""
    facts = inputs["facts"]
    asking = asked(inputs, in_cny(facts["amount"], facts["currency"], rates))
    return {
        group: {name: field.read(asking) for name, field in _of(group, named).items()}
        for group in FIELDS
        if groups is None or group in groups
    }


def _of(group: str, named: Collection[tuple[str, str]] | None) -> Fields:
    fields = FIELDS[group]
    always = _FEW_OF_MANY.get(group)
    if named is None or always is None:
        return fields
    found = (name for its, name in named if its == group and name in fields)
    return {name: fields[name] for name in (*always, *found)}


def _fact(kind: type, part: str, name: str) -> Field:
    return Field(kind, lambda asked: asked.facts[part][name])


def _lately(who: str) -> Field:
    return Field(int, lambda asked: asked.inputs["features"]["payments_last_minute"].get(who, 0))


def _age_days(asked: Asked) -> int:
    registered_at, happened_at = asked.facts["customer"]["registered_at"], asked.facts["happened_at"]
    if not registered_at:
        return -1
    return (datetime.fromisoformat(happened_at) - datetime.fromisoformat(registered_at)).days


_LAST_MINUTE = ("customer", "card", "device")
_FEW_OF_MANY: Mapping[str, tuple[str, ...]] = {"velocity": _LAST_MINUTE, "signal": ()}

FIELDS: Mapping[str, Fields] = {
    "payment": {
        "stage": Field(str, lambda asked: asked.facts["stage"]),
        "amount": Field(int, lambda asked: asked.facts["amount"]),
        "currency": Field(str, lambda asked: asked.facts["currency"]),
        "amount_cny": Field(int, lambda asked: 0 if asked.amount_cny is None else asked.amount_cny),
        "rate_known": Field(bool, lambda asked: asked.amount_cny is not None),
        "merchant_country": Field(str, lambda asked: asked.facts["merchant_country"]),
    },
    "customer": {
        "known": Field(bool, lambda asked: bool(asked.facts["customer"]["reference"])),
        "paid_orders": _fact(int, "customer", "paid_orders"),
        "age_days": Field(int, _age_days),
        "verification_level": _fact(int, "customer", "verification_level"),
    },
    "instrument": {name: _fact(str, "instrument", name) for name in ("kind", "country", "brand")},
    "delivery": {"country": _fact(str, "delivery", "country")},
    "device": trust.FIELDS,
    "behaviour": behaviour.FIELDS,
    "coupon": coupons.FIELDS,
    "velocity": {**{who: _lately(who) for who in _LAST_MINUTE}, **readings.VELOCITY},
    "signal": readings.SIGNAL,
    "graph": rings.FIELDS,
}
"""Every field that an expression may name, by group."""

NAMED: Fields = {f"{group}.{name}": field for group, some in FIELDS.items() for name, field in some.items()}
