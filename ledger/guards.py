"""Triggers that keep the books, for every app: they run a function of ours and can not be switched off."""

import pgtrigger
from django.db import models


class Guard(pgtrigger.Trigger):
    """A trigger that runs a function of our own.

    The functions that pgtrigger writes can be switched off by anyone with `SET pgtrigger.ignore`. A guard
    of the books must not be, so the trigger executes `procedure` and pgtrigger's function stays unused.
    """

    procedure: str
    func = "RAISE EXCEPTION 'not in use: this trigger runs a function of the ledger';"

    def render_execute(self, model: models.Model) -> str:
        return f"{self.procedure}()"


class Bell(Guard):
    """At commit: what moved has its posting. A row that is written anew is looked at when `written` holds, one
    that changes when `moved` does; `procedure` reads the row as it is at commit, and calls `ledger_must_hold`.
    """

    level = pgtrigger.Row
    when = pgtrigger.After
    timing = pgtrigger.Deferred

    def __init__(self, procedure: str, *, written: str = "", moved: str = "") -> None:
        self.procedure = procedure
        # PostgreSQL knows no OLD in the condition of an INSERT: each has a trigger of its own.
        self.name = "bell_written" if written else "bell"
        self.operation = pgtrigger.Insert if written else pgtrigger.Update
        self.condition = pgtrigger.Condition(f"({written or moved})")
        super().__init__()


class Kept(Guard):
    """Rows of money are never deleted, and their table is never emptied."""

    name = "kept"
    procedure = "ledger_refuse_change"
    level = pgtrigger.Statement
    when = pgtrigger.Before
    operation = pgtrigger.Delete | pgtrigger.Truncate
