"""The view that statements are compared with: a row for each movement, found by channel and time."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from ledger.identifiers import decode, new_key
from payments.movements import ASKED, MOVEMENTS
from tests.ledger.books import tamper
from tests.reconciliation.statements import pay, refund
from tests.reconciliation.wechat_bill import NOON

pytestmark = pytest.mark.django_db(transaction=True)


def _rows(sql: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def _moved() -> set[tuple[Any, ...]]:
    return set(_rows(f"SELECT kind, movement, part, parent, amount, fee FROM {MOVEMENTS}"))


def test_captures_refunds_and_disputes_each_have_a_row() -> None:
    whole, parts = pay(900), pay(700, parts=(300, 400))
    pay(500, state="FAILED")
    back = decode("ref", refund(whole, 100))
    refund(whole, 50, state="FAILED")
    refund(whole, 60, hand_by="user:1", hand_account="bank:main", hand_reference="T1")
    dispute = new_key()
    tamper(
        "INSERT INTO payments_dispute (id, payment_id, attempt_id, channel, channel_reference, state, currency,"
        " amount, withdrawn, reinstated, lost, fee, reason, category, double_risk, known, postings, texts,"
        " reminders, created_at, updated_at, next_check_at) VALUES (%s, %s, %s, 'wechat', 'dp_1', 'WON', 'CNY',"
        " 900, 900, 900, 0, 15, '', '', false, '{}', '{}', '{}', 0, %s, %s, %s)",
        [dispute, whole.key, whole.key, NOON, NOON, NOON],
    )
    assert _moved() == {
        ("payment", whole.key, 1, whole.key, 900, None),
        ("payment", parts.key, 1, parts.key, 300, None),
        ("payment", parts.key, 2, parts.key, 400, None),
        ("refund", back, 1, whole.key, -100, None),
        ("dispute", dispute, 1, whole.key, -900, 15),
        ("dispute_won", dispute, 1, whole.key, 900, None),
    }
    asked = _rows(f"SELECT kind, state, count(*) FROM {ASKED} GROUP BY 1, 2 ORDER BY 1, 2")
    assert asked == [
        *[("payment", "FAILED", 1), ("payment", "SUCCEEDED", 2)],
        *[("refund", "FAILED", 1), ("refund", "SUCCEEDED", 2)],
    ]


def test_a_day_of_a_channel_is_a_range_of_an_index() -> None:
    pay()
    with transaction.atomic():
        _rows("SELECT set_config('enable_seqscan', 'off', true)")
        # Among a handful of rows it is as good to look up every refund of every payment.
        for (name,) in _rows(
            "SELECT indexname FROM pg_indexes WHERE indexname LIKE 'payments_refund_payment_id%%'"
        ):
            connection.cursor().execute(f"DROP INDEX {name}")
        plan = _rows(
            f"EXPLAIN SELECT movement, amount FROM {MOVEMENTS}"
            " WHERE channel = 'wechat' AND happened_at >= %s AND happened_at < %s",
            NOON,
            NOON + timedelta(days=1),
        )
        transaction.set_rollback(True)
    text = "\n".join(line for (line,) in plan)
    assert "attempt_movements" in text
    assert "refund_movements" in text
    assert "payments_payment" not in text
