"""The database keeps the books, even against raw SQL."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, OperationalError, ProgrammingError, connection, models, transaction

from ledger import audit
from ledger.facts import Entry as Line
from ledger.identifiers import decode, new_key
from ledger.models import (
    Account,
    AuditEntry,
    AuditSeal,
    BalanceSnapshot,
    DayBalance,
    DayClose,
    DayTotal,
    Entry,
    FxRate,
    Transaction,
    Unfinished,
)
from ledger.services.close_day import close_day
from ledger.services.post import post
from ledger.services.record_rate import record_rate
from ledger.services.seal_audit import seal_audit
from ledger.services.take_snapshots import take_snapshots
from tests.ledger.books import captured, cny, nothing_moves, run

pytestmark = pytest.mark.django_db(transaction=True)

_GUARDED: list[type[models.Model]] = [
    Account,
    Transaction,
    Entry,
    AuditEntry,
    AuditSeal,
    DayClose,
    DayTotal,
    DayBalance,
    FxRate,
]


@pytest.fixture(autouse=True)
def books(empty_audit_journal: None) -> UUID:
    """A posting, a closed day, a rate, audit entries, sealed. Returns the transaction's key."""
    posted = captured()
    with transaction.atomic():
        audit.record(action="test.done", object_id="pay_1")
    noon = datetime(2026, 3, 1, 4, tzinfo=UTC)
    with transaction.atomic():
        post(
            business_key="long ago",
            reference="ord_1",
            description="",
            entries=[Line("receivable:stripe", cny(7)), Line("suspense", cny(-7))],
            happened_at=noon,
        )
    close_day(day=noon.date(), actor="user:1")
    record_rate(base="EUR", quote="CNY", rate=Decimal("7.85"), source="test", valid_since=noon)
    assert seal_audit().sealed == 3
    assert take_snapshots(at_least=1) == 3
    return decode("txn", posted.id)


@pytest.mark.parametrize("table", [model._meta.db_table for model in _GUARDED])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET {column} = {column}",
        "DELETE FROM {}",
        "DELETE FROM {} WHERE false",
        "TRUNCATE {} CASCADE",
    ],
)
def test_a_change_is_refused(table: str, statement: str) -> None:
    column = "sequence" if table == "ledger_auditseal" else "id"
    with nothing_moves(), pytest.raises(IntegrityError, match="append-only"):
        run(statement.format(table, column=column))


@pytest.mark.parametrize("model", _GUARDED)
def test_the_orm_is_refused_too(model: type[models.Model]) -> None:
    row: Any = model._default_manager.first()
    with pytest.raises((IntegrityError, models.ProtectedError)):
        row.delete()
    with pytest.raises(IntegrityError):
        row.save()


def test_the_guards_cannot_be_ignored_by_a_setting() -> None:
    """pgtrigger's own triggers obey `pgtrigger.ignore`; the books' guards do not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'ledger_entry'::regclass AND NOT tgisinternal"
        )
        names = ",".join(name for (name,) in cursor.fetchall())
    with pytest.raises(IntegrityError), transaction.atomic():
        run("SELECT set_config('pgtrigger.ignore', %s, true)", ["{" + names + "}"])
        run("DELETE FROM ledger_entry")


def test_a_snapshot_may_be_thrown_away_but_not_bent() -> None:
    with pytest.raises(IntegrityError, match="append-only"):
        BalanceSnapshot.objects.update(balance=0)
    BalanceSnapshot.objects.all().delete()


_HEAD = (
    "INSERT INTO ledger_transaction (id, business_key, reference, description, entry_count, happened_at)"
    " VALUES (%s, 'raw', 'ord_raw', '', %s, now())"
)
_HEADS = (
    "INSERT INTO ledger_transaction (id, business_key, reference, description, entry_count, happened_at)"
    " SELECT each, each::text, 'ord_raw', '', 2, now() FROM unnest(%s::uuid[]) AS each"
)
_LINE = (
    "INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount)"
    " SELECT %s, %s, id, %s, %s FROM ledger_account WHERE name = 'receivable:stripe'"
)


@pytest.mark.parametrize(
    ("entry_count", "amounts", "complaint"),
    [
        (2, [], "has 0 entries"),
        (2, [5], "has 1 entries"),
        (1, [5], "two_entries"),
        (2, [5, -4], "does not balance: CNY 1"),
        (3, [5, -5], "has 2 entries"),
        (2, [5, -5, 7], "no room"),
        (2, [5, 0], "not_zero"),
    ],
)
def test_raw_sql_cannot_write_what_does_not_balance(
    entry_count: int, amounts: list[int], complaint: str
) -> None:
    key = new_key()
    with nothing_moves(), pytest.raises(IntegrityError, match=complaint), transaction.atomic():
        run(_HEAD, [key, entry_count])
        for position, amount in enumerate(amounts, start=1):
            run(_LINE, [key, position, "CNY", amount])


@pytest.mark.parametrize(
    "trick",
    [
        "DELETE FROM ledger_unfinished",
        "UPDATE ledger_unfinished SET transactions = '{}', entry_counts = '{}'",
        "SET CONSTRAINTS ALL IMMEDIATE",
        "TRUNCATE ledger_unfinished",
    ],
)
def test_the_note_of_what_is_unfinished_can_not_be_taken_away(trick: str) -> None:
    """It may go; the check at commit stays."""
    refused = pytest.raises((IntegrityError, OperationalError, ProgrammingError))
    with nothing_moves(), refused, transaction.atomic():
        key = new_key()
        run(_HEAD, [key, 2])
        run(_LINE, [key, 1, "CNY", 5])
        assert Unfinished.objects.count() == 1
        run(trick)


@pytest.mark.parametrize(("last", "complaint"), [(-7, "does not balance: CNY -2"), (None, "has 1 entries")])
def test_of_many_written_by_one_statement_each_is_looked_at(last: int | None, complaint: str) -> None:
    keys = [new_key() for _ in range(3)]
    with nothing_moves(), pytest.raises(IntegrityError, match=complaint), transaction.atomic():
        run(_HEADS, [keys])
        assert Unfinished.objects.count() == 1
        for key in keys[:2]:
            run(_LINE, [key, 1, "CNY", 5])
            run(_LINE, [key, 2, "CNY", -5])
        run(_LINE, [keys[2], 1, "CNY", 5])
        if last:
            run(_LINE, [keys[2], 2, "CNY", last])


def test_raw_sql_that_balances_is_accepted() -> None:
    key = new_key()
    with transaction.atomic():
        run(_HEAD, [key, 2])
        run(_LINE, [key, 1, "CNY", 5])
        run(_LINE, [key, 2, "CNY", -5])
    assert Transaction.objects.filter(id=key).exists() and not Unfinished.objects.exists()


def test_a_written_transaction_takes_no_more_entries_even_balanced_ones(books: UUID) -> None:
    with nothing_moves(), pytest.raises(IntegrityError, match="no room"), transaction.atomic():
        run(_LINE, [books, 3, "CNY", 5])
        run(_LINE, [books, 4, "CNY", -5])


@pytest.mark.parametrize(("key", "position"), [(None, 1), ("same", 1), ("same", 0)])
def test_an_entry_needs_its_transaction_and_a_free_position(
    books: UUID, key: str | None, position: int
) -> None:
    with nothing_moves(), pytest.raises(IntegrityError):
        run(_LINE, [books if key else new_key(), position, "CNY", 5])


def test_an_entry_is_in_its_accounts_currency() -> None:
    key = new_key()
    with nothing_moves(), pytest.raises(IntegrityError, match="another currency"), transaction.atomic():
        run(_HEAD, [key, 2])
        run(_LINE, [key, 1, "USD", 5])
