"""The view that statements are compared with: a row for each movement, found by channel and time."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

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


def _three_thousand_more(table: str, when: str) -> None:
    """Rows like its one, of other payments, 50 a day backwards from NOON."""
    tamper(
        f"INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object('id', gen_random_uuid(),"
        " 'channel_reference', number::text, 'business_key', number::text, 'payment_id', md5(number::text)::uuid,"
        f" '{when}', %s::timestamptz - number * interval '1728 seconds'))).*"
        f" FROM {table} one, generate_series(1, 3000) number",
        [NOON],
    )


def test_a_day_of_a_channel_is_a_range_of_an_index() -> None:
    # In a shop of some size, known to the planner: among a handful of rows every index is as good.
    refund(pay(900), 100)
    _three_thousand_more("payments_attempt", "brought_at")
    _three_thousand_more("payments_refund", "returned_at")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE payments_attempt, payments_refund, payments_dispute")
    plan = _rows(
        f"EXPLAIN SELECT movement, amount FROM {MOVEMENTS}"
        " WHERE channel = 'wechat' AND happened_at >= %s AND happened_at < %s",
        NOON - timedelta(days=1),
        NOON,
    )
    text = "\n".join(line for (line,) in plan)
    assert "attempt_movements" in text
    assert "refund_movements" in text
    assert "payments_payment" not in text
    assert "Seq Scan on payments_attempt" not in text
    assert "Seq Scan on payments_refund" not in text
