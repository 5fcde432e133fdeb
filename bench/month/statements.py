"""The finance department brings the month's statements in: fetched, and again where something was wrong with them."""

from datetime import timedelta
from typing import Any

from bench.month.people import Person
from bench.month.world import Month, say

_REFUSED = (
    """SELECT ledger_public_id('run', id) FROM reconciliation_statementrun WHERE state = 'UNAVAILABLE'"""
)
_OF_DAY = """SELECT ledger_public_id('run', id) FROM reconciliation_statementrun
    WHERE channel = %s AND kind = %s AND day_on = %s"""
_ROUNDS = 8
_AFTER_DAYS = 4


def bring_in(month: Month, faults: list[dict[str, Any]]) -> None:
    """What a provider corrects later is asked for again by hand, and so is what was refused."""
    span = ("--since", str(month.first), "--until", str(month.days[-1] + timedelta(days=_AFTER_DAYS - 1)))
    finance = Person(month.stack, "finance")
    _, summary = month.reconcile(*span)
    say(f"first time: {summary}")
    for fault in faults:
        if fault["kind"] == "corrected":
            kind = "camt.053" if fault["channel"] == "bank" else fault["file"]
            [(run,)] = month.rows(_OF_DAY, fault["channel"], kind, fault["day"])
            finance.press("/console/reconciliation/statements/", {"do": "fetch", "run": run})
    for _ in range(_ROUNDS):
        for (run,) in month.rows(_REFUSED):
            finance.press("/console/reconciliation/statements/", {"do": "fetch", "run": run})
        _, summary = month.reconcile(*span)
        say(f"again: {summary}")
        if not (summary["not_ready"] or summary["failed"]):
            return
