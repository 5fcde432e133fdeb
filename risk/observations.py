"""What histories are told of a decision, from what is stored of it: the same now and in a rebuild. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from risk import geography
from risk.features import Inputs
from risk.geography import Place
from risk.history import Event, mark
from risk.states import EntityKind, Stage
from risk.variables import in_cny

LARGEST_AMOUNT = 10**12  # sums of histories stay far from what 64 bits hold
MOST_SKUS = 5  # of one basket
# Entity → the kind of history that follows it. A guest is known by the e-mail address.
_KINDS = ("customer", "card", "device", "address", "ip", "merchant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """`names` are the histories ("card:…") that are told `event`."""

    id: UUID
    event: Event
    names: tuple[str, ...]
    place: Place | None = None


def names_of(entities: Mapping[str, str], skus: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The histories that belong to a payment's entities, by kind; `skus` are the keys of its SKUs."""
    keys = dict(entities)
    keys.setdefault("customer", keys.get(EntityKind.EMAIL, ""))
    named: dict[str, tuple[str, ...]] = {kind: (f"{kind}:{keys[kind]}",) for kind in _KINDS if keys.get(kind)}
    if skus:
        named["sku"] = tuple(f"sku:{key}" for key in dict.fromkeys(skus[:MOST_SKUS]))
    return named


def event_of(at: datetime, amount_cny: int | None, ratio: int, entities: Mapping[str, str]) -> Event:
    """`amount_cny` is None where no rate is known: such a payment counts, and adds nothing to sums."""
    customer = entities.get(EntityKind.CUSTOMER) or entities.get(EntityKind.EMAIL, "")
    return Event(
        at=int(at.timestamp() * 1000),
        amount=min(max(amount_cny or 0, 0), LARGEST_AMOUNT),
        ratio=ratio,
        customer=mark(customer),
        card=mark(entities.get(EntityKind.CARD, "")),
        device=mark(entities.get(EntityKind.DEVICE, "")),
        address=mark(entities.get(EntityKind.ADDRESS, "")),
        merchant=mark(entities.get(EntityKind.MERCHANT, "")),
    )


def here(facts: Mapping[str, Any], at: int) -> Place | None:
    device = facts["device"]
    return geography.place(at, device.get("latitude_e6"), device.get("longitude_e6"))


def observation(key: UUID, inputs: Inputs, rates: Mapping[str, Decimal]) -> Observation | None:
    """What a stored decision tells; None for the light check, whose payment is judged again.

    Decisions of before there were histories kept neither what was usual for the customer nor the keys of SKUs.
    """
    facts = inputs["facts"]
    if facts["stage"] != Stage.PAYMENT:
        return None
    kept: Mapping[str, Any] = inputs.get("event") or {}
    amount = in_cny(facts["amount"], facts["currency"], rates)
    at = datetime.fromisoformat(facts["happened_at"])
    event = event_of(at, amount, kept.get("ratio", 0), inputs["entities"])
    return Observation(
        id=key,
        event=event,
        names=tuple(_flat(names_of(inputs["entities"], tuple(kept.get("skus", ()))))),
        place=here(facts, event.at),
    )


def _flat(named: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    for names in named.values():
        yield from names
