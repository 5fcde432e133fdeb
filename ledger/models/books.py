"""Accounts, the journal and the snapshots of balances."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, OuterRef, Prefetch, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now

from ledger.errors import Refusal
from ledger.facts import Entry as Line
from ledger.facts import PostedTransaction, Posting
from ledger.identifiers import encode, new_key
from ledger.models import batches, copies, drafts
from ledger.models.days import OpenDay
from ledger.models.drafts import Draft
from ledger.models.triggers import AppendOnly, Balanced, Complete, EntryFits, NoUpdate
from ledger.money import Money
from ledger.rules import Kind, kind_of

_BEFORE_ALL = Value(date.min, models.DateField())


class AccountQuerySet(models.QuerySet["Account"]):
    def with_balance(self) -> Self:
        """Adds `balance` (debits positive, minor units): the latest snapshot and the entries after it."""
        latest = BalanceSnapshot.objects.filter(account=OuterRef("pk")).order_by("-through_entry")
        tail = (
            Entry.objects.filter(
                account=OuterRef("pk"),
                id__gt=OuterRef("snapshot_through"),
                posted_on__gt=OuterRef("snapshot_closed"),
            )
            .order_by()
            .values("account")
            .annotate(total=Sum("amount"))
        )
        return self.annotate(
            snapshot_through=Coalesce(Subquery(latest.values("through_entry")[:1]), 0),
            snapshot_closed=Coalesce(Subquery(latest.values("last_closed_on")[:1]), _BEFORE_ALL),
            snapshot_balance=Coalesce(Subquery(latest.values("balance")[:1]), 0),
            tail=Coalesce(Subquery(tail.values("total")), 0),
            balance=F("snapshot_balance") + F("tail"),
        )

    def balances(self) -> Iterator[tuple["Account", int]]:
        """Each account and its balance, in one statement."""
        for row in self.with_balance().iterator(2000):
            yield row, int(vars(row)["balance"])

    def open(self, accounts: Iterable[tuple[str, str]]) -> None:
        """Open those of the accounts (name, currency) that nobody has opened; sorted, against deadlock."""
        missing = [
            Account(name=name, currency=currency, kind=kind_of(name))
            for name, currency in sorted(set(accounts))
        ]
        self.bulk_create(missing, ignore_conflicts=True)


class Account(models.Model):
    """One name in one currency, opened by the first posting that uses it."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    name = models.CharField(max_length=100)
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=9, choices=[(kind.value, kind.value) for kind in Kind])
    created_at = models.DateTimeField(db_default=Now())

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "currency"], name="ledger_account_name_currency"),
            models.CheckConstraint(
                condition=Q(kind__in=[kind.value for kind in Kind]), name="ledger_account_kind"
            ),
        ]
        triggers = [AppendOnly()]

    def __str__(self) -> str:
        return f"{self.name} {self.currency}"


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def with_entries(self) -> Self:
        return self.prefetch_related(Prefetch("entries", Entry.objects.select_related("account")))

    def append(self, draft: Draft) -> PostedTransaction:
        """Write `draft` once for its business key, in one round trip; three when it opens accounts. Raises refusals."""
        written = drafts.write(draft)
        if written is None:
            Account.objects.open((line.account, line.amount.currency) for line in draft.lines)
            written = drafts.write(draft)
        if written:
            return PostedTransaction(draft.key, draft.business_key, created=True)
        answer = draft.compared_with(self.with_entries().filter(business_key=draft.business_key).first())
        if isinstance(answer, Refusal):
            raise answer
        return answer

    def append_many(self, postings: Sequence[Posting]) -> list[PostedTransaction | Refusal]:
        """The same of each of them, those of one statement in one round trip. What is refused is returned."""
        refusals: dict[int, Refusal] = {}
        sound = batches.sound(postings, refusals)
        many = batches.are_many(sound)
        written = copies.write(postings, sound, Account.objects.open) if many else None
        if written is None:
            written = batches.write(postings, sound, Account.objects.open)
        unwritten = {place: postings[place] for place in sound if place not in written}
        results = refusals | written | self._compared(unwritten)
        return [results[place] for place in range(len(postings))]

    def _compared(self, unwritten: Mapping[int, Posting]) -> dict[int, PostedTransaction | Refusal]:
        """With what has their business keys."""
        if not unwritten:
            return {}
        keys = [posting.business_key for posting in unwritten.values()]
        before = {row.business_key: row for row in self.with_entries().filter(business_key__in=keys)}
        return {
            place: Draft.of(posting).compared_with(before.get(posting.business_key))
            for place, posting in unwritten.items()
        }


class Transaction(models.Model):
    """A posting: entries that belong together. `entry_count` closes it: no entry can be added later."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    business_key = models.CharField(max_length=200)
    reference = models.CharField(max_length=100)
    description = models.CharField(max_length=300)
    entry_count = models.SmallIntegerField()
    reverses = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="reversed_by", db_index=False
    )
    happened_at = models.DateTimeField()
    posted_on = models.DateField(db_default=OpenDay())
    created_at = models.DateTimeField(db_default=Now())

    objects = TransactionQuerySet.as_manager()

    class Meta:
        # Named here and not by `unique=True`: that would add a second index, for LIKE, to every posting.
        indexes = [models.Index(fields=["reference"], name="ledger_transaction_reference")]
        constraints = [
            models.UniqueConstraint(fields=["business_key"], name="ledger_transaction_business_key"),
            models.CheckConstraint(condition=Q(entry_count__gte=2), name="ledger_transaction_two_entries"),
            models.UniqueConstraint(
                fields=["reverses"],
                condition=Q(reverses__isnull=False),
                name="ledger_transaction_reversed_once",
            ),
        ]
        triggers = [AppendOnly(), Complete()]

    def __str__(self) -> str:
        return self.business_key

    @property
    def public_id(self) -> str:
        return encode("txn", self.id)

    def lines(self) -> tuple[Line, ...]:
        """The entries as facts, in order. Read transactions by `with_entries()` before asking."""
        entries = sorted(self.entries.all(), key=lambda entry: entry.position)
        return tuple(
            Line(entry.account.name, Money(entry.amount, entry.currency), entry.item) for entry in entries
        )


class Unfinished(models.Model):
    """Transactions whose entries come in later statements. Written by a trigger, checked and gone at commit."""

    id = models.BigAutoField(primary_key=True)
    transactions = ArrayField(models.UUIDField())
    entry_counts = ArrayField(models.SmallIntegerField())  # of each

    class Meta:
        verbose_name_plural = "unfinished"
        triggers = [Balanced()]

    def __str__(self) -> str:
        return f"{len(self.transactions)} transactions"


class Entry(models.Model):
    """One line. Numbered, because a balance is a snapshot through some number and the entries after it."""

    id = models.BigAutoField(primary_key=True)
    transaction = models.ForeignKey(
        Transaction, on_delete=models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    position = models.SmallIntegerField()
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="entries", db_constraint=False, db_index=False
    )
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    item = models.CharField(max_length=64, blank=True, db_default="")  # SKU
    posted_on = models.DateField(db_default=OpenDay())  # its transaction's, for the day's index

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "position"], name="ledger_entry_position"),
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_not_zero"),
            models.CheckConstraint(condition=Q(position__gte=1), name="ledger_entry_position_from_one"),
        ]
        indexes = [
            models.Index(fields=["account", "posted_on", "id"], include=["amount"], name="ledger_entry_day"),
        ]
        triggers = [AppendOnly(), EntryFits()]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class BalanceSnapshot(models.Model):
    """The sum of an account's entries with numbers up to `through_entry`. Derived: may be thrown away.

    Those with higher numbers stand on later days than `last_closed_on`, so the index of days finds them.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="snapshots", db_index=False)
    through_entry = models.BigIntegerField()
    last_closed_on = models.DateField(null=True)  # the last day that was closed by then
    balance = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["account", "through_entry"], name="ledger_snapshot_account_through"
            )
        ]
        triggers = [NoUpdate()]

    def __str__(self) -> str:
        return f"{self.account_id} through {self.through_entry}"
