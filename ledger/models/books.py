"""Accounts, the journal and the snapshots of balances."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from django.db import connection, models
from django.db.models import F, OuterRef, Prefetch, Q, Subquery, Sum
from django.db.models.functions import Coalesce, Now

from ledger.errors import AlreadyReversed, BusinessKeyConflict
from ledger.facts import Entry as Line
from ledger.identifiers import encode, new_key
from ledger.models.triggers import AppendOnly, Balanced, EntryFits, NoUpdate
from ledger.money import Money
from ledger.rules import Kind, kind_of


class AccountQuerySet(models.QuerySet["Account"]):
    def with_balance(self) -> Self:
        """Adds `balance` (debits positive, minor units): the latest snapshot and the entries after it."""
        latest = BalanceSnapshot.objects.filter(account=OuterRef("pk")).order_by("-through_entry")
        tail = (
            Entry.objects.filter(account=OuterRef("pk"), id__gt=OuterRef("snapshot_through"))
            .order_by()
            .values("account")
            .annotate(total=Sum("amount"))
        )
        return self.annotate(
            snapshot_through=Coalesce(Subquery(latest.values("through_entry")[:1]), 0),
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


# One round trip: it posts nothing while an account is missing, and nothing when the key is taken.
_APPEND = """
WITH wanted AS (
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[]) WITH ORDINALITY
        AS given (name, currency, amount, position)
), known AS (
    SELECT wanted.position, wanted.currency, wanted.amount, ledger_account.id AS account_id
    FROM wanted JOIN ledger_account USING (name, currency)
), posted AS (
    INSERT INTO ledger_transaction
        (id, business_key, reference, description, entry_count, reverses_id, happened_at)
    SELECT %s::uuid, %s, %s, %s, %s, %s::uuid, coalesce(%s::timestamptz, statement_timestamp())
    WHERE (SELECT count(*) FROM known) = %s
    ON CONFLICT DO NOTHING
    RETURNING id
), written AS (
    INSERT INTO ledger_entry (transaction_id, position, account_id, currency, amount)
    SELECT posted.id, known.position, known.account_id, known.currency, known.amount
    FROM posted CROSS JOIN known ORDER BY known.position
)
SELECT (SELECT count(*) FROM known), EXISTS (SELECT FROM posted)
"""


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def with_entries(self) -> Self:
        return self.prefetch_related(Prefetch("entries", Entry.objects.select_related("account")))

    def append(
        self,
        *,
        business_key: str,
        reference: str,
        description: str,
        lines: Sequence[Line],
        happened_at: datetime | None = None,
        reverses: UUID | None = None,
    ) -> tuple[UUID, bool]:
        """Write a transaction once for its business key. Returns its key, and whether this call wrote it.

        One statement, two more when it opens an account. Raises `BusinessKeyConflict` and `AlreadyReversed`.
        """
        key = new_key()
        names = [line.account for line in lines]
        currencies = [line.amount.currency for line in lines]
        amounts = [line.amount.minor for line in lines]
        head = [key, business_key, reference, description, len(lines), reverses, happened_at, len(lines)]
        values = [names, currencies, amounts, *head]
        known, written = _row(_APPEND, values)
        if known < len(lines):
            Account.objects.open(zip(names, currencies, strict=True))
            known, written = _row(_APPEND, values)
        if written:
            return key, True
        return self._written_before(business_key, reference, lines, reverses), False

    def _written_before(
        self, business_key: str, reference: str, lines: Sequence[Line], reverses: UUID | None
    ) -> UUID:
        found = self.with_entries().filter(business_key=business_key).first()
        if found is None:  # so it was the other unique constraint that refused
            raise AlreadyReversed("this transaction is reversed already: post a new one instead")
        content = (found.reference, found.reverses_id, Counter(found.lines()))
        if content != (reference, reverses, Counter(lines)):
            raise BusinessKeyConflict(
                f"{business_key!r} was posted with other content: correct it by a reversal",
                business_key=business_key,
            )
        return found.id


def _row(sql: str, values: Sequence[Any]) -> tuple[int, bool]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        known, written = cursor.fetchone()
    return known, written


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
        triggers = [AppendOnly(), Balanced()]

    def __str__(self) -> str:
        return self.business_key

    @property
    def public_id(self) -> str:
        return encode("txn", self.id)

    def lines(self) -> tuple[Line, ...]:
        """The entries as facts, in order. Read transactions by `with_entries()` before asking."""
        entries = sorted(self.entries.all(), key=lambda entry: entry.position)
        return tuple(Line(entry.account.name, Money(entry.amount, entry.currency)) for entry in entries)


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

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(fields=["transaction", "position"], name="ledger_entry_position"),
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_not_zero"),
            models.CheckConstraint(condition=Q(position__gte=1), name="ledger_entry_position_from_one"),
        ]
        indexes = [models.Index(fields=["account", "id"], include=["amount"], name="ledger_entry_tail")]
        triggers = [AppendOnly(), EntryFits()]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class BalanceSnapshot(models.Model):
    """The sum of an account's entries with numbers up to `through_entry`. Derived: may be thrown away."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="snapshots", db_index=False)
    through_entry = models.BigIntegerField()
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
