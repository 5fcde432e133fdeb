"""Triggers that keep the books, even against raw SQL. Their functions are in migrations 0001, 0002, 0006 and 0008."""

import pgtrigger

from ledger.guards import Guard


class AppendOnly(Guard):
    """UPDATE, DELETE and TRUNCATE are refused. Once a statement, so it costs inserts nothing."""

    name = "append_only"
    procedure = "ledger_refuse_change"
    level = pgtrigger.Statement
    when = pgtrigger.Before
    operation = pgtrigger.Update | pgtrigger.Delete | pgtrigger.Truncate


class NoUpdate(AppendOnly):
    """For what can be derived again: may be thrown away, not bent."""

    name = "no_update"
    operation = pgtrigger.Update


class Complete(Guard):
    """At once, set-based: what a statement wrote with all its entries balances in each currency, and nothing is posted
    into a day that is closed, or that another session is closing just now.

    What has entries still to come is noted as `Unfinished` and checked at commit.
    """

    name = "complete"
    procedure = "ledger_check_new"
    level = pgtrigger.Statement
    when = pgtrigger.After
    operation = pgtrigger.Insert
    referencing = pgtrigger.Referencing(new="new_values")  # type: ignore[no-untyped-call]


class Balanced(Guard):
    """At commit: as many entries as each transaction says, and each currency sums to zero."""

    name = "balanced"
    procedure = "ledger_check_unfinished"
    level = pgtrigger.Row
    when = pgtrigger.After
    operation = pgtrigger.Insert
    timing = pgtrigger.Deferred


class EntryFits(Guard):
    """At once: the transaction has room for the entry, and the account exists in the entry's currency.

    Stands in for two foreign keys. Neither an account nor a transaction can ever be deleted, so the row lock
    that a foreign key takes on the account would protect nothing and make a hot account a bottleneck.
    """

    name = "entry_fits"
    procedure = "ledger_check_entries"
    level = pgtrigger.Statement
    when = pgtrigger.After
    operation = pgtrigger.Insert
    referencing = pgtrigger.Referencing(new="new_values")  # type: ignore[no-untyped-call]


class InOrder(Guard):
    """At once: only the day after the last closed one can be closed, and only when it has ended."""

    name = "in_order"
    procedure = "ledger_check_close"
    level = pgtrigger.Row
    when = pgtrigger.Before
    operation = pgtrigger.Insert
