"""How much a payment's customer looks like one of a ring: figures of the graph in, a score out. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from risk.operands import Field, Fields
from risk.states import EntityKind

# What one further customer behind the same entity adds; a second customer behind it is a household and adds nothing.
_WEIGHTS = {
    EntityKind.CARD: 6,
    EntityKind.DEVICE: 6,
    EntityKind.PHONE: 5,
    EntityKind.EMAIL: 5,
    EntityKind.ADDRESS: 3,
    EntityKind.NETWORK: 1,
}
# What a customer leads on by: a place or a network is shared by strangers.
STRONG = (EntityKind.CARD, EntityKind.DEVICE, EntityKind.PHONE, EntityKind.EMAIL)
LINKING = tuple(_WEIGHTS)
_MOST_COUNTED = 8
_WHOLE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """Who is linked with a payment: `shared` counts the other customers behind each of its entities.

    `near` customers share an entity with it, `far` ones share a strong entity with those. `vouched` are the kinds of
    this customer's entities that a person approved.
    """

    shared: Mapping[str, int] = field(default_factory=dict)
    near: int = 0
    far: int = 0
    refused: int = 0
    frauds_near: int = 0
    frauds_far: int = 0
    vouched: tuple[str, ...] = ()


def score(ring: Ring) -> int:
    """From 0 (alone, or a household) to 100."""
    links = sum(
        weight * min(max(ring.shared.get(kind, 0) - 1, 0), _MOST_COUNTED) for kind, weight in _WEIGHTS.items()
    )
    led_on = min(ring.far, _MOST_COUNTED) if links else 0
    outcomes = (
        30 * min(ring.frauds_near, 3) + 10 * min(ring.frauds_far, 3) + 8 * min(max(ring.refused - 1, 0), 3)
    )
    return min(links + led_on + outcomes, _WHOLE)


def inputs_of(ring: Ring) -> dict[str, Any]:
    """What is stored with the decision."""
    return {
        "ring_score": score(ring),
        "shared": {kind: count for kind, count in sorted(ring.shared.items()) if count},
        "near": ring.near,
        "far": ring.far,
        "refused": ring.refused,
        "frauds_near": ring.frauds_near,
        "frauds_far": ring.frauds_far,
        "vouched": sorted(ring.vouched),
    }


def inputs_read_as(told: Mapping[str, Any]) -> dict[str, Any]:
    """What would be stored where a rule reads `told`; of all others it reads nothing."""
    shared = {name[5:]: count for name, count in told.items() if name.startswith("same_")}
    vouched = sorted(name[8:] for name, yes in told.items() if name.startswith("vouched_") and yes)
    figures = {name: told[name] for name in told if not name.startswith(("same_", "vouched_"))}
    return {**inputs_of(Ring()), **figures, "shared": shared, "vouched": vouched}


def _figure(name: str) -> Field:
    return Field(int, lambda asked: asked.inputs.get("graph", {}).get(name, 0))


def _same(kind: str) -> Field:
    return Field(int, lambda asked: asked.inputs.get("graph", {}).get("shared", {}).get(kind, 0))


def _vouched(kind: str) -> Field:
    return Field(bool, lambda asked: kind in asked.inputs.get("graph", {}).get("vouched", ()))


# What a rule may name as `graph.…`; decisions from before the graph know nothing and read 0.
FIELDS: Fields = {
    **{name: _figure(name) for name in ("ring_score", "near", "far", "refused", "frauds_near", "frauds_far")},
    **{f"same_{kind}": _same(kind) for kind in LINKING},
    **{f"vouched_{kind}": _vouched(kind) for kind in STRONG},
}
