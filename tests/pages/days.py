"""Days of a shop, written into the tables: keys and moments as they would be if time had passed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from checkout.models import Order
from ledger.identifiers import encode, first_key_of
from payments.models import Attempt, Payment
from payments.states import AttemptKind
from risk import starting
from risk.models import Decision, Policy

_BROUGHT = {"SUCCEEDED"}
_PAID = {"PAID", "FULFILLING", "FULFILLED", "DONE", "CANCELLED_AFTER_PAY"}


@contextmanager
def unwatched() -> Iterator[None]:
    """No trigger sees what is written here: its money is in no journal."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("RESET session_replication_role")


def key_at(moment: datetime, number: int) -> UUID:
    return UUID(int=first_key_of(moment).int + number)


def orders(at: datetime, **states: int) -> list[Order]:
    """So many of each state, placed at this moment."""
    told = [state for state, many in states.items() for _ in range(many)]
    rows = [
        Order(
            id=key_at(at, number),
            state=state,
            email=f"buyer{number}@example.com",
            address={},
            country="CN",
            locale="en",
            currency="CNY",
            subtotal=10_000,
            payable=10_000,
            quote_id=f"{at.timestamp():.0f}-{number}",
            quote="",
            paid_by=encode("pay", key_at(at, number)) if state in _PAID else "",
            opened_at=at,
            expires_at=at + timedelta(minutes=15),
        )
        for number, state in enumerate(told)
    ]
    with unwatched():
        return Order.objects.bulk_create(rows)


def payments(
    at: datetime, *, currency: str = "CNY", fen: int = 10_000, latency_ms: int = 120, **states: int
) -> list[Payment]:
    """So many of each state, begun at this moment for orders of it, each answered by its channel in this time."""
    told = [state for state, many in states.items() for _ in range(many)]
    rows = [
        Payment(
            id=key_at(at, number),
            reference=encode("ord", key_at(at, number)),
            business_key=f"{at.timestamp():.0f}-{currency}-{number}",
            state=state,
            method="card",
            channel="stripe",
            currency=currency,
            amount=fen,
            amount_captured=fen if state in _BROUGHT else 0,
            description="Tea",
            expires_at=at + timedelta(minutes=15),
        )
        for number, state in enumerate(told)
    ]
    with unwatched():
        made = Payment.objects.bulk_create(rows)
        Payment.objects.filter(pk__in=[row.pk for row in made]).update(created_at=at)
    Attempt.objects.bulk_create(
        Attempt(
            payment=row,
            kind=AttemptKind.START,
            sequence=1,
            state="SUCCEEDED" if row.state in _BROUGHT else "DECLINED",
            channel="stripe",
            currency=currency,
            amount=fen,
            sent_at=at,
            latency_ms=latency_ms,
            route={"method": "card"},
            first_result="ok",
        )
        for row in made
    )
    return made


def decisions(at: datetime, actions: Mapping[str, int]) -> None:
    """So many answers of each kind at the payment's stage, and one at the order's, which is not counted."""
    policy, _ = Policy.objects.get_or_create(
        name="days",
        version=1,
        defaults={
            "rules": starting.RULES,
            "thresholds": starting.THRESHOLDS,
            "limits": {},
            "rates": starting.RATES,
            "created_by": "tests",
        },
    )
    told = [("payment", action) for action, many in actions.items() for _ in range(many)]
    shared: dict[str, Any] = {"happened_at": at, "created_at": at, "amount": 1, "currency": "CNY", "score": 1}
    Decision.objects.bulk_create(
        Decision(
            id=key_at(at, number),
            stage=stage,
            subject=encode("pay", key_at(at, number)),
            action=action,
            policy=policy,
            level="LOW",
            inputs={},
            outcome={},
            reasons=[],
            digest="",
            latency_us=1,
            **shared,
        )
        for number, (stage, action) in enumerate([*told, ("order", "reject")])
    )
