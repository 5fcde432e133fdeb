"""From facts to the inputs of a decision: plain JSON, free of what a rule does not need. Pure.

The inputs are all that a decision looks at besides its policy, so they are stored with it and suffice to replay it.
Personal values enter only as hashes (keyed for entities), the address of the network only in part.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache, lru_cache
from ipaddress import ip_address, ip_network
from types import NoneType
from typing import Any, TypeAlias
from uuid import UUID

from risk import behaviour, coupons, rings, trust
from risk.facts import BehaviourFacts, PaymentFacts
from risk.rings import Ring
from risk.states import EntityKind, Stage
from risk.trust import Sighting

Inputs: TypeAlias = Mapping[str, Any]

LARGEST = 2**63 - 1  # what CEL and PostgreSQL hold
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
# Limits count by the merchant's calendar day; China has one time zone and no summer time.
_CALENDAR = timezone(timedelta(hours=8))
_MOST_SKUS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ListHit:
    """An entry of a list that names something in the facts."""

    entry: str
    kind: str
    entity: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the database adds to the facts. Counts include the question that is being asked."""

    payments_last_minute: Mapping[str, int]  # by "customer", "card", "device"
    spent_today: int = 0  # CNY minor units of the customer's other payments
    lists: tuple[ListHit, ...] = ()
    limits: Mapping[str, Any] | None = None  # what of a known customer's limits is used up
    ring: Ring = field(default_factory=Ring)
    device: Sighting = field(default_factory=Sighting)
    coupons: Mapping[str, int] = field(
        default_factory=dict
    )  # newcomers who used one lately, by kind of entity


def text(value: object, length: int = 128) -> str:
    """`value` as text that JSON, CEL and PostgreSQL all hold: printable, at most `length` characters."""
    found = str(value)
    if len(found) <= length and found.isprintable():
        return found
    return "".join(c for c in found[: 4 * length] if c.isprintable())[:length]


def moment(value: datetime) -> datetime:
    """`value` in UTC, within the years that make sense."""
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value
    return min(max(aware, _EARLIEST), _LATEST).astimezone(UTC)


def calendar_day(value: datetime) -> date:
    """The day that limits count `value` under."""
    return moment(value).astimezone(_CALENDAR).date()


def is_after(inputs: Inputs, day: str) -> bool:
    """Whether the payment came after this day ("2026-12-31") of the calendar: by its own moment, so that it replays."""
    return calendar_day(datetime.fromisoformat(inputs["facts"]["happened_at"])).isoformat() > day


def stage(value: str) -> Stage:
    """An unknown stage gets the full check."""
    return Stage.ORDER if value == Stage.ORDER else Stage.PAYMENT


def whole(value: int) -> int:
    number = int(value)
    return number if -LARGEST <= number <= LARGEST else max(-LARGEST, min(LARGEST, number))


@lru_cache(maxsize=1024)
def network(address: str) -> str:
    """The part of an address that says whence, not who ("203.0.113.0/24"); empty when it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return f"{address.rpartition('.')[0]}.0/24"
    return str(ip_network((parsed.packed, 48), strict=False))


def entity_key(kind: str, value: str, *, secret: bytes) -> str:
    """What lists and counts know an entity by; nobody without `secret` finds the value by trying."""
    return hmac.digest(secret, f"{kind}:{text(value)}".encode(), "sha256").hex()[:32]


def entities(facts: PaymentFacts, *, secret: bytes) -> tuple[tuple[str, str], ...]:
    """Kind and key of everything in the facts that a list may name or a count may follow."""
    named = [
        (EntityKind.CUSTOMER, facts.customer.reference),
        (EntityKind.EMAIL, facts.customer.email_hash),
        (EntityKind.PHONE, facts.customer.phone_hash),
        (EntityKind.CARD, facts.instrument.fingerprint),
        (EntityKind.DEVICE, facts.device.identifier),
        (EntityKind.IP, facts.device.ip),
        (EntityKind.NETWORK, network(facts.device.ip)),
        (EntityKind.ADDRESS, facts.delivery.hash),
        (EntityKind.MERCHANT, facts.merchant),
        *((EntityKind.SKU, sku) for sku in facts.skus[:_MOST_SKUS]),
    ]
    return tuple((str(kind), entity_key(kind, value, secret=secret)) for kind, value in named if text(value))


def bucket(policy_id: UUID, customer_key: str) -> int:
    """Where of 10,000 a customer stands for a policy, for good: a larger share keeps whom a smaller one had."""
    return int.from_bytes(hashlib.sha256(policy_id.bytes + customer_key.encode()).digest()[:8]) % 10_000


def inputs_of(facts: PaymentFacts, evidence: Evidence, known: Mapping[str, str]) -> dict[str, Any]:
    """The decision's inputs, as far as facts and evidence go; `known` are the entities' keys by kind."""
    return with_evidence(asked_of(facts, known), facts, evidence)


def asked_of(facts: PaymentFacts, known: Mapping[str, str]) -> dict[str, Any]:
    """The part of them that needs no evidence."""
    plain = _plain(facts)
    plain["stage"] = str(stage(facts.stage))
    del plain["coupon"]  # it is a part of the inputs by itself
    plain["skus"] = plain["skus"][:_MOST_SKUS]
    plain["device"]["ip"] = network(facts.device.ip)
    del plain["device"]["fingerprint"]  # nobody needs more than its key
    for name in ("latitude_e6", "longitude_e6"):
        plain["device"][name] = _roughly(plain["device"][name])
    return {"facts": plain, "entities": dict(known)}


def with_evidence(asked: Mapping[str, Any], facts: PaymentFacts, evidence: Evidence) -> dict[str, Any]:
    used = {} if evidence.limits is None else {"limits": _plain(dict(evidence.limits))}
    return {
        **asked,
        "features": {
            "payments_last_minute": {name: whole(n) for name, n in evidence.payments_last_minute.items()},
            "spent_today": whole(evidence.spent_today),
        },
        "lists": [asdict(hit) for hit in evidence.lists],
        **used,
        **coupons.inputs_of(used=facts.coupon, others=evidence.coupons),
        "graph": rings.inputs_of(evidence.ring),
        "device": trust.inputs_of(facts, evidence.device, evidence.ring, moment(facts.happened_at)),
    }


def _roughly(microdegrees: int | None) -> int | None:
    """About 11 km: where from, not who."""
    return None if microdegrees is None else whole(round(microdegrees, -5))


def _plain(value: Any) -> Any:
    form = _FORMS.get(type(value))
    if form is not None:
        return form(value)
    if is_dataclass(value):
        return {name: _plain(getattr(value, name)) for name in _names(value.__class__)}
    return next((form(value) for kind, form in _FORMS.items() if isinstance(value, kind)), text(value))


_FORMS: Mapping[type, Callable[[Any], Any]] = {
    NoneType: lambda value: None,
    bool: bool,
    str: text,
    int: whole,
    datetime: lambda value: moment(value).isoformat(),
    dict: lambda value: {name: _plain(inner) for name, inner in value.items()},
    tuple: lambda value: [_plain(inner) for inner in value],
    list: lambda value: [_plain(inner) for inner in value],
    BehaviourFacts: behaviour.inputs_of,
}


@cache
def _names(facts: Any) -> tuple[str, ...]:
    return tuple(one.name for one in fields(facts))
