"""Newcomers and coupons: who takes one, and how many newcomers took one lately at the same place. Pure.

Shops give coupons to win customers, and each customer uses one once. Whoever opens account after account for it has as
many accounts as they like, and only so many doors, networks, devices, cards and phones.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from risk.operands import Field, Fields
from risk.states import EntityKind, Stage

# Behind what takers are looked for. An e-mail address costs nothing, so it is no place.
SHARED = (EntityKind.CARD, EntityKind.DEVICE, EntityKind.PHONE, EntityKind.ADDRESS, EntityKind.NETWORK)
LATELY = timedelta(days=7)
MOST = 10  # more than these are not counted


def inputs_of(*, used: bool, others: Mapping[str, int]) -> dict[str, Any]:
    """What is stored with the decision; nothing of a payment without a coupon."""
    return {"coupon": {"others": dict(sorted(others.items()))}} if used else {}


def is_taking(inputs: Mapping[str, Any]) -> bool:
    """Whether a stored decision is one more newcomer who takes a coupon: the payment's, not the check before it."""
    facts = inputs["facts"]
    return "coupon" in inputs and facts["stage"] == Stage.PAYMENT and facts["customer"]["paid_orders"] == 0


def inputs_read_as(told: Mapping[str, Any]) -> dict[str, Any]:
    """What would be stored where a rule reads `told`."""
    others = {name.removeprefix("others_"): count for name, count in told.items() if name != "used"}
    return inputs_of(used=bool(told.get("used", others)), others=others)


def _others(kind: str) -> Field:
    return Field(int, lambda asked: asked.inputs.get("coupon", {}).get("others", {}).get(kind, 0))


# What a rule may name as `coupon.…`; decisions from before it was told know of none.
FIELDS: Fields = {
    "used": Field(bool, lambda asked: "coupon" in asked.inputs),
    **{f"others_{kind}": _others(kind) for kind in SHARED},
}
