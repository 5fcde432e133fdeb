"""Facts for the tests of risk."""

from datetime import UTC, datetime
from typing import Any

from risk import starting
from risk.facts import AddressFacts, CustomerFacts, DeviceFacts, InstrumentFacts, PaymentFacts
from risk.models import Policy
from risk.services.add_list_entry import add_list_entry
from risk.services.confirm_list_change import confirm_list_change

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in China


def facts(
    amount: int = 10_000,
    *,
    currency: str = "CNY",
    paid_orders: int = 3,
    card: str = "CN",
    to: str = "CN",
    kind: str = "card",
    level: int = 0,
    customer: str = "cus_anna",
    **others: Any,
) -> PaymentFacts:
    """A returning customer's payment of 100 CNY with a domestic card and address, unless told otherwise."""
    base: dict[str, Any] = {
        "stage": "payment",
        "subject": "pay_1",
        "amount": amount,
        "currency": currency,
        "happened_at": NOON,
        "customer": CustomerFacts(
            reference=customer, email_hash="e-anna", paid_orders=paid_orders, verification_level=level
        ),
        "instrument": InstrumentFacts(kind=kind, country=card, fingerprint="fp_1", brand="visa"),
        "delivery": AddressFacts(country=to, hash="a-1"),
        "device": DeviceFacts(identifier="dev_1", ip="203.0.113.77", ip_country="CN"),
    }
    return PaymentFacts(**{**base, **others})


def listed(**entry: Any) -> str:
    """A list entry in force, which a second person has confirmed where it takes two."""
    name = add_list_entry(**entry)
    if not name.startswith("lch_"):
        return name
    return confirm_list_change(change=name, actor="user:99", reason="I looked, too")


def challenge_everybody(*kinds: str) -> None:
    """From now on a policy decides that asks each customer for the first of `kinds` that they have."""
    _everybody("challenge", challenge={"*": list(kinds)})


def review_everybody() -> None:
    """From now on a policy decides that has a person look at each payment."""
    _everybody("review")


def _everybody(action: str, **beside: Any) -> None:
    Policy.objects.filter(state="ACTIVE").update(state="RETIRED")
    always = {**starting.RULES[0], "id": "always", "expression": "true", "weight": 0, "action": action}
    Policy.objects.create(
        name="tests",
        version=Policy.objects.count() + 1,
        rules=[always],
        thresholds={**starting.THRESHOLDS, **beside},
        limits={},
        rates=starting.RATES,
        state="ACTIVE",
        created_by="tests",
    )
