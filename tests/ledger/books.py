"""What the ledger's tests share: short ways to post, and raw SQL with the guards switched off."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from ledger.facts import Entry, PostedTransaction
from ledger.models import Transaction
from ledger.money import Money
from ledger.services.post import post


def cny(minor: int) -> Money:
    return Money(minor, "CNY")


def captured(
    minor: int = 100, *, key: str = "pay_1:capture:1", reference: str = "ord_1"
) -> PostedTransaction:
    """A customer's payment arrives: committed."""
    with transaction.atomic():
        return post(
            business_key=key,
            reference=reference,
            description="captured",
            entries=[Entry("receivable:stripe", cny(minor)), Entry("customer_prepayments", cny(-minor))],
        )


def run(sql: str, parameters: Any = None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def tamper(sql: str, parameters: Any = None) -> None:
    """What somebody with the rights of a superuser could do: the guards are off."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(sql, parameters)


@contextmanager
def nothing_moves() -> Iterator[None]:
    """Fails when the journal is another one afterwards."""
    before = journal()
    yield
    assert journal() == before


def journal() -> list[Any]:
    return [
        (row.pk, row.business_key, row.lines()) for row in Transaction.objects.with_entries().order_by("id")
    ]
