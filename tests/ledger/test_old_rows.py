"""What was posted before there were accounting days gets the day on which it happened."""

from datetime import UTC, date, datetime
from importlib import import_module

import pytest
from django.db import IntegrityError, transaction

from ledger.facts import Entry
from ledger.models import Entry as Row
from ledger.models import Transaction
from ledger.services.post import post
from tests.ledger.books import cny, run, tamper

pytestmark = pytest.mark.django_db(transaction=True)


def test_old_rows_get_their_day_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    migration = import_module("ledger.migrations.0002_days")
    monkeypatch.setattr(migration, "_BATCH", 2)
    for day in range(1, 6):
        with transaction.atomic():
            post(
                business_key=f"{day}",
                reference="ord_1",
                description="",
                entries=[Entry("bank:main", cny(1)), Entry("suspense", cny(-1))],
                happened_at=datetime(2026, 3, day, 16, 30, tzinfo=UTC),  # past midnight in Shanghai
            )
    tamper("UPDATE ledger_transaction SET posted_on = now(); UPDATE ledger_entry SET posted_on = now()")
    migration.give_old_rows_their_day(None, None)
    expected = [date(2026, 3, day + 1) for day in range(1, 6)]
    assert list(Transaction.objects.order_by("id").values_list("posted_on", flat=True)) == expected
    assert sorted(set(Row.objects.values_list("posted_on", flat=True))) == expected
    with pytest.raises(IntegrityError, match="append-only"):
        run("UPDATE ledger_entry SET posted_on = now()")
