"""The states and kinds of discrepancies. Pure."""

from enum import StrEnum


class DiscrepancyState(StrEnum):
    OPEN = "OPEN"
    INVESTIGATING = "INVESTIGATING"
    RESOLVED = "RESOLVED"
    WRITTEN_OFF = "WRITTEN_OFF"


class DiscrepancyKind(StrEnum):
    """How theirs differs from ours."""

    AMOUNT = "amount"
    CURRENCY = "currency"
    MISSING_HERE = "missing_here"  # they tell of it, and we know nothing of it
    MISSING_THERE = "missing_there"  # it should have been on a statement by now
    STATE = "state"
    FEE = "fee"
    DUPLICATE = "duplicate"
    LATE = "late"  # it agrees, and came longer after the day than it may
    DEPOSIT_MISSING = "deposit_missing"
    DEPOSIT_AMOUNT = "deposit_amount"
    BANK_UNEXPLAINED = "bank_unexplained"


CLOSED = frozenset({DiscrepancyState.RESOLVED, DiscrepancyState.WRITTEN_OFF})


class StatementState(StrEnum):
    RECEIVED = "RECEIVED"
    MATCHED = "MATCHED"
    SETTLED = "SETTLED"
    REFUSED = "REFUSED"
    SUPERSEDED = "SUPERSEDED"


class StatementSource(StrEnum):
    FETCHED = "fetched"
    UPLOADED = "uploaded"
    COMMAND = "command"


class StatementPhase(StrEnum):
    """How far the work on a file has come, for those who watch."""

    WAITING = "waiting"
    LOADING = "loading"
    MATCHING = "matching"
    DONE = "done"


class Side(StrEnum):
    OURS = "ours"
    THEIRS = "theirs"


class TotalPart(StrEnum):
    """What a statement's sums are made of: `theirs` is the sum of all the others."""

    THEIRS = "theirs"
    OURS = "ours"  # our movements of the statement's day
    ONLY_THEIRS = "only_theirs"
    ONLY_OURS = "only_ours"  # less: what theirs does not have
    DIFFERS = "differs"  # what matched pairs lie apart, and lines that count for nothing with us
    OTHER_DAY = "other_day"  # of another day of ours, explained by this file
    APART = "apart"  # fees, payouts and the like: no movement of a payment or refund
    ELSEWHERE = "elsewhere"  # less: of this day of ours, explained by a file of another day


class SightingKind(StrEnum):
    """How an order and the money for it do not belong together."""

    PAID_NOT_ORDERED = "paid_not_ordered"
    ORDERED_NOT_PAID = "ordered_not_paid"
    CANCELLED_NOT_REFUNDED = "cancelled_not_refunded"
    SURPLUS_NOT_REFUNDED = "surplus_not_refunded"


class SettlementState(StrEnum):
    ANNOUNCED = "ANNOUNCED"
    DEPOSITED = "DEPOSITED"
    WITHDRAWN = "WITHDRAWN"


class BankLineState(StrEnum):
    OPEN = "OPEN"
    EXPLAINED = "EXPLAINED"
    GONE = "GONE"


class Explanation(StrEnum):
    """What a line of the bank's turned out to be, and how that was seen."""

    REFERENCE = "reference"  # it names the payout
    AMOUNT = "amount"  # the one payout of this sum in its time
    SEVERAL = "several"  # several payouts in one line
    SPLIT = "split"  # one of several lines of a payout
    TRANSFER = "transfer"  # a customer's, or our refund of it


class RunState(StrEnum):
    DUE = "DUE"
    DONE = "DONE"
    EMPTY = "EMPTY"
    UNAVAILABLE = "UNAVAILABLE"
