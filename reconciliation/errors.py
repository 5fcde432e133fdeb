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


class SecondPersonNeeded(Refusal):
    """Who proposes something cannot approve it."""

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


class StatementRefused(Refusal):
    """A file that is not loaded, not even in part. `context` names its `line` and `column`, where one is at fault."""

    code = "statement_refused"

    def __init__(self, message: str, *, line: int = 0, column: str = "") -> None:
        context = {"line": line or None, "column": column or None}
        super().__init__(message, param="file", **{key: value for key, value in context.items() if value})


class StatementDamaged(StatementRefused):
    """Bytes that no writer of this format writes."""

    code = "statement_damaged"


class StatementTruncated(StatementRefused):
    """The end is missing."""

    code = "statement_truncated"


class StatementTotalsDiffer(StatementRefused):
    """The file's own totals are not those of its rows."""

    code = "statement_totals_differ"


class StatementOtherMerchant(StatementRefused):
    """It is about somebody else's account."""

    code = "statement_other_merchant"


class StatementOtherCurrency(StatementRefused):
    code = "statement_other_currency"


class StatementOtherDay(StatementRefused):
    """It is about another day than the one that it is imported for."""

    code = "statement_other_day"


class StatementMixedDays(StatementRefused):
    """It begins with the right day and goes on with others."""

    code = "statement_mixed_days"


class StatementTooLarge(StatementRefused):
    """Unpacked, it is larger than any statement, or than anything honest of this packed size."""

    code = "statement_too_large"


class StatementUnsafeArchive(StatementRefused):
    """An archive with members that no statement has."""

    code = "statement_unsafe_archive"


class StatementColumnMissing(StatementRefused):
    code = "statement_column_missing"


class StatementRowMalformed(StatementRefused):
    """A row that can not be read."""

    code = "statement_row_malformed"


class StatementFormatUnknown(StatementRefused):
    """No parser reads this kind of file."""

    code = "statement_format_unknown"


class StatementMappingInvalid(StatementRefused):
    """What was saved of a bank's columns can not be used."""

    code = "statement_mapping_invalid"


class StatementNotMatched(Refusal):
    """It is not matched yet, was refused, or a corrected file came in its place."""

    code = "statement_not_matched"
    status = 409


class RunNotFound(Refusal):
    """There is no such statement to be fetched."""

    code = "run_not_found"
    status = 404


class RunUnderWay(Refusal):
    """Somebody is fetching it at this moment."""

    code = "run_under_way"
    status = 409


class MappingInvalid(Refusal):
    """What is said of the account's file can not be used."""

    code = "mapping_invalid"


class RepairNotFound(Refusal):
    code = "repair_not_found"
    status = 404


class RepairNotOffered(Refusal):
    """This repair does not fit what is known of the discrepancy now."""

    code = "repair_not_offered"
    status = 409


class RepairUnderWay(Refusal):
    """Another repair of the same discrepancy waits for a second person, or for the provider."""

    code = "repair_under_way"
    status = 409


class RepairNotWaiting(Refusal):
    """Somebody decided about it meanwhile."""

    code = "repair_not_waiting"
    status = 409


class RepairNotUndoable(Refusal):
    """It is not the last that was done, was undone before, or is not ours to undo."""

    code = "repair_not_undoable"
    status = 409


class ItemsDoNotMatch(Refusal):
    """These open items can not be put together."""

    code = "items_do_not_match"


class ResolveRuleNotFound(Refusal):
    code = "resolve_rule_not_found"
    status = 404


class ResolveRuleInvalid(Refusal):
    code = "resolve_rule_invalid"


class ResolveRuleNotSwitchable(Refusal):
    code = "resolve_rule_not_switchable"
    status = 409


class StatementOutdated(StatementRefused):
    """A newer file of the same day was matched before this one."""

    code = "statement_outdated"


class StatementAboutTomorrow(StatementRefused):
    """Its day is not over."""

    code = "statement_not_due"
