"""Accounting days: until when they are open, and what was kept of them when they were closed."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import Func, Q
from django.db.models.functions import Now
from django.utils import timezone

from ledger.identifiers import new_key
from ledger.models.triggers import AppendOnly, InOrder

BY_ITSELF = "task:close_due_days"  # the actor of days that nobody closes
CLOSE_REFUSED = "day.close_refused"  # put on record where that did not go


class OpenDay(Func):
    """Today, or the first open day when today is closed. What a row has that does not say its day."""

    function = "ledger_open_day"
    output_field = models.DateField()


def day_of(moment: datetime) -> date:
    """The accounting day that `moment` falls into."""
    return moment.astimezone(ZoneInfo(settings.LEDGER_TIME_ZONE)).date()


def today() -> date:
    return day_of(timezone.now())


class DayClose(models.Model):
    """A closed day: from then on nothing is posted into it or into a day before it. There is no way back."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    posted_on = models.DateField()
    entry_count = models.BigIntegerField()
    closed_by = models.CharField(max_length=80)  # an actor: user:12
    closed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["posted_on"], name="ledger_dayclose_posted_on")]
        triggers = [AppendOnly(), InOrder()]
        permissions = [("close_day", "Can close a day")]

    def __str__(self) -> str:
        return self.posted_on.isoformat()


class DayTotal(models.Model):
    """The trial balance of a closed day in one currency: what moved on the day, and how all balances stood after."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    close = models.ForeignKey(DayClose, on_delete=models.PROTECT, related_name="totals", db_index=False)
    currency = models.CharField(max_length=3)
    moved_amount = models.BigIntegerField()  # the day's debits, and its credits
    balance_amount = models.BigIntegerField()  # the sum of all debit balances, and of all credit balances

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["close", "currency"], name="ledger_daytotal_close_currency"),
            models.CheckConstraint(
                condition=Q(moved_amount__gte=0, balance_amount__gte=0), name="ledger_daytotal_not_negative"
            ),
        ]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.close_id} {self.currency}"


class DayBalance(models.Model):
    """The balance of an account at the end of a closed day on which it moved."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    account = models.ForeignKey(
        "ledger.Account", on_delete=models.PROTECT, related_name="day_balances", db_index=False
    )
    posted_on = models.DateField()
    balance = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "posted_on"], name="ledger_daybalance_account_day")
        ]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.account_id} on {self.posted_on}"
