"""What reconciliation refuses, by name."""

from ledger.errors import Refusal


class DiscrepancyNotFound(Refusal):
    code = "discrepancy_not_found"
    status = 404


class DiscrepancyClosed(Refusal):
    """It was resolved or written off before."""

    code = "discrepancy_closed"
    status = 409


class NotUnderInvestigation(Refusal):
    """Nobody has taken it yet: who closes it must have looked at it."""

    code = "not_under_investigation"
    status = 409


class ReasonMissing(Refusal):
    """Closing a discrepancy needs words that a later reader understands."""

    code = "reason_missing"


class WriteOffNotProposed(Refusal):
    code = "write_off_not_proposed"
    status = 409


class SecondPersonNeeded(Refusal):
    """Who proposes a write-off cannot approve it."""

    code = "second_person_needed"
    status = 403


class InvestigatedByAnother(Refusal):
    """A colleague took it up."""

    code = "investigated_by_another"
    status = 409


class NothingStuck(Refusal):
    """Somebody repaired it meanwhile, or it never was on the list."""

    code = "nothing_stuck"
    status = 409


class ActionUnknown(Refusal):
    """This is not what can be done about an item of this kind."""

    code = "action_unknown"
    status = 404


class SnoozeInvalid(Refusal):
    """Something can be put off for a while, not for good and not into the past."""

    code = "snooze_invalid"


class StatementNotFound(Refusal):
    code = "statement_not_found"
    status = 404
