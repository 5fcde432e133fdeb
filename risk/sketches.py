"""A payment made up to see what a policy says of it: a few facts, all others being those of a harmless one. Pure."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from ledger.sentences import Sentence
from risk import coupons, readings, rings
from risk.errors import InvalidExpectation
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts
from risk.features import Evidence, inputs_of
from risk.signals import GROUPS, Signals

_PARTS = ("customer", "instrument", "delivery", "device")
_COUNTED = ("signals", "graph", "coupon")
_BESIDE = {"happened_at", *_COUNTED}
_MOMENT = datetime(2026, 1, 2, 4, tzinfo=UTC)


def _harmless() -> PaymentFacts:
    """A returning customer's 100 CNY with a domestic card, to a domestic address."""
    return PaymentFacts(
        stage="payment",
        subject="example",
        amount=10_000,
        currency="CNY",
        happened_at=_MOMENT,
        customer=CustomerFacts(reference="cus_example", paid_orders=3),
        instrument=InstrumentFacts(kind="card", country="CN", brand="visa"),
        delivery=AddressFacts(country="CN"),
        device=DeviceFacts(identifier="dev_example", ip_country="CN"),
    )


def inputs_of_sketch(sketch: Any) -> dict[str, Any]:
    """The inputs of a made-up payment: {"amount": 800000, "delivery": {"country": "US"}, "graph": {"ring_score": 30}}.

    Beside facts: `signals`, `graph` and `coupon` as rules name them, and `happened_at`. Raises `InvalidExpectation` for
    whatever does not exist or is of another type.
    """
    if not isinstance(sketch, Mapping) or not sketch:
        raise InvalidExpectation(
            Sentence('An example is an object like {"amount": 800000}.'), param="example"
        )
    plain = {name: value for name, value in sketch.items() if name not in _BESIDE}
    facts = _changed(_harmless(), plain)
    for name in _PARTS:
        if name in plain:
            facts = replace(facts, **{name: _changed(getattr(_harmless(), name), plain[name])})
    facts = replace(facts, happened_at=_moment(sketch.get("happened_at")))
    made = inputs_of(facts, Evidence(payments_last_minute={}), {})
    signals = _numbers(sketch.get("signals", {}), dict.fromkeys(readings.NAMES, 0))
    kinds = sorted({GROUPS[name] for name in signals if name in GROUPS})
    made["graph"] = rings.inputs_read_as(_numbers(sketch.get("graph", {}), rings.FIELDS))
    coupon = _numbers(sketch.get("coupon", {}), coupons.FIELDS)
    exact: Signals = {name: float(value) for name, value in signals.items()}
    return made | readings.pack(exact, kinds) | coupons.inputs_read_as(coupon)


def _changed(base: Any, given: Any) -> Any:
    """`base` with what is `given` of its own fields."""
    if not isinstance(given, Mapping):
        raise InvalidExpectation(Sentence("These are objects: %(parts)s.", parts=_PARTS), param="example")
    known = {one.name: getattr(base, one.name) for one in fields(base)}
    for name, value in given.items():
        if name not in known:
            raise InvalidExpectation(
                Sentence("There is no %(name)s to know of a payment.", name=str(name)[:60]), param="example"
            )
        if name not in _PARTS and type(value) is not type(known[name]):
            raise InvalidExpectation(
                Sentence("%(name)s is of another type than %(value)s.", name=name, value=repr(value)[:60]),
                param="example",
            )
    return replace(base, **{name: value for name, value in given.items() if name not in _PARTS})


def _numbers(given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidExpectation(
            Sentence("These are objects, names and numbers: %(parts)s.", parts=_COUNTED), param="example"
        )
    for name, value in given.items():
        if name not in known:
            raise InvalidExpectation(
                Sentence("A rule can not name %(name)s.", name=str(name)[:60]), param="example"
            )
        if type(value) not in (int, float, bool):
            raise InvalidExpectation(Sentence("%(name)s is a number.", name=name), param="example")
    return dict(given)


def _moment(given: Any) -> datetime:
    try:
        found = datetime.fromisoformat(given) if given is not None else _MOMENT
    except (TypeError, ValueError) as wrong:
        raise InvalidExpectation(
            Sentence("happened_at is a time like 2026-12-31T12:00:00Z."), param="example"
        ) from wrong
    return found if found.tzinfo else found.replace(tzinfo=UTC)
