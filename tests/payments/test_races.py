"""Several at once: each race first without its guard, then with it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from ledger.errors import Refusal
from ledger.selectors import transactions_of
from payments import selectors
from payments.models import Payment
from payments.services.start_payment import start_payment
from tests.ledger.books import tamper
from tests.payments.conftest import Till

AT_ONCE = 8


def at_once(work: Callable[[int], Any]) -> list[Any]:
    def guarded(number: int) -> Any:
        try:
            return work(number)
        except Refusal as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(guarded, range(AT_ONCE)))


def test_without_the_constraint_one_order_gets_several_payments(till: Till) -> None:
    """The race itself: eight clicks, each finding nothing yet."""
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE payments_payment DROP CONSTRAINT IF EXISTS payment_one_live_per_reference"
        )
        cursor.execute("DROP INDEX IF EXISTS payment_one_live_per_reference")
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname LIKE 'payments_payment_business_key%%'"
        )
    try:
        intents = [till.intent("alipay", reference="ord_race") for _ in range(AT_ONCE)]
        at_once(lambda n: unguarded_insert(intents[n], n))
        assert Payment.objects.filter(reference="ord_race").count() == AT_ONCE
    finally:
        tamper("DELETE FROM payments_attempt; DELETE FROM payments_payment")
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE UNIQUE INDEX payment_one_live_per_reference ON payments_payment (reference)"
                " WHERE (NOT (state = 'CANCELLED') AND NOT surplus)"
            )


def unguarded_insert(intent: Any, number: int) -> None:
    if not Payment.objects.filter(reference=intent.reference, business_key=str(number)).exists():
        Payment.objects.create(
            reference=intent.reference,
            business_key=str(number),
            method="alipay",
            currency="CNY",
            amount=intent.amount.minor,
            description="race",
            expires_at=intent.expires_at,
        )


@pytest.mark.parametrize("method", ["card", "alipay"])
def test_eight_clicks_make_one_payment_and_one_charge(till: Till, method: str) -> None:
    intent = till.intent(method)

    at_once(lambda _: start_payment(intent=intent))

    [payment] = selectors.payments_of(intent.reference)
    assert len(selectors.attempts_of(payment.id)) == 1
    assert len(till.sandbox.payments(till.attempt(payment))) == 1
    assert len(transactions_of(intent.reference)) == (1 if method == "card" else 0)
