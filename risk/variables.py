"""What an expression may name, from a decision's inputs. Pure."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from ledger.money import UnknownCurrency, exponent
from risk import behaviour, coupons, readings, rings, trust
from risk.features import Inputs, whole
from risk.limits import CURRENCY

GROUPS = (
    "payment",
    "customer",
    "instrument",
    "delivery",
    "device",
    "behaviour",
    "coupon",
    "velocity",
    "signal",
    "graph",
)


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
    groups: Collection[str] = GROUPS,
) -> dict[str, dict[str, Any]]:
    """What an expression may name, of these `groups`: of signals and velocities all, or only those that are `named`."""
    facts = inputs["facts"]
    amount_cny = in_cny(facts["amount"], facts["currency"], rates)
    made: dict[str, Callable[[], dict[str, Any]]] = {
        "payment": lambda: _payment(facts, amount_cny),
        "customer": lambda: _customer(facts),
        "instrument": lambda: {name: facts["instrument"][name] for name in ("kind", "country", "brand")},
        "delivery": lambda: {"country": facts["delivery"]["country"]},
        "device": lambda: trust.variables(facts["device"], inputs.get("device", {})),
        "behaviour": lambda: behaviour.variables(facts.get("behaviour", {})),
        "coupon": lambda: coupons.variables(inputs),
        "velocity": lambda: _velocity(inputs, named, amount_cny),
        "signal": lambda: {name: readings.signal(inputs, name) for name in _of("signal", named)},
        "graph": lambda: rings.variables(inputs.get("graph", {})),
    }
    return {group: made[group]() for group in GROUPS if group in groups}


def _payment(facts: Mapping[str, Any], amount_cny: int | None) -> dict[str, Any]:
    return {
        "stage": facts["stage"],
        "amount": facts["amount"],
        "currency": facts["currency"],
        "amount_cny": 0 if amount_cny is None else amount_cny,
        "rate_known": amount_cny is not None,
        "merchant_country": facts["merchant_country"],
    }


def _customer(facts: Mapping[str, Any]) -> dict[str, Any]:
    customer = facts["customer"]
    return {
        "known": bool(customer["reference"]),
        "paid_orders": customer["paid_orders"],
        "age_days": _age_days(customer["registered_at"], facts["happened_at"]),
        "verification_level": customer["verification_level"],
    }


def _velocity(
    inputs: Inputs, named: Collection[tuple[str, str]] | None, amount_cny: int | None
) -> dict[str, Any]:
    lately = inputs["features"]["payments_last_minute"]
    return {
        **{name: lately.get(name, 0) for name in ("customer", "card", "device")},
        **{name: readings.velocity(inputs, name, amount_cny) for name in _of("velocity", named)},
    }


def _of(group: str, named: Collection[tuple[str, str]] | None) -> Iterable[str]:
    """The names of a group that exist, and are `named`."""
    existing = readings.GROUPED[group]
    return (
        existing if named is None else [name for found, name in named if found == group and name in existing]
    )


def _age_days(registered_at: str | None, happened_at: str) -> int:
    if not registered_at:
        return -1
    return (datetime.fromisoformat(happened_at) - datetime.fromisoformat(registered_at)).days
