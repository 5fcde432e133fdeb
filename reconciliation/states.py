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


class RepairKind(StrEnum):
    """What can be done about a discrepancy."""

    POST_FEE = "post_fee"
    TAKE_BACK_FEE = "take_back_fee"
    RECORD_CAPTURE = "record_capture"
    ASK_PROVIDER = "ask_provider"
    REFUND = "refund"
    SUSPENSE = "suspense"
    WAIT = "wait"
    ACCEPT = "accept"
    WRITE_OFF = "write_off"
    FORCE_MATCH = "force_match"
    CORRECT = "correct"  # their statement is wrong: the books become as if it had told the truth
    CORRECT_PAYOUT = "correct_payout"  # the channel's statement of a payout is
    CORRECT_DEPOSIT = "correct_deposit"  # the bank's statement of a payout's deposit is


# What payments and the provider do: it can be repeated, and not be undone here.
OUTWARD = frozenset({RepairKind.RECORD_CAPTURE, RepairKind.ASK_PROVIDER, RepairKind.REFUND})
# After these the books stand without what lay in suspense meanwhile.
CORRECTIONS = frozenset({RepairKind.CORRECT, RepairKind.CORRECT_PAYOUT, RepairKind.CORRECT_DEPOSIT})
# What a rule may have done: nothing that moves a customer's money.
BY_RULE = frozenset(
    {
        RepairKind.POST_FEE,
        RepairKind.TAKE_BACK_FEE,
        RepairKind.SUSPENSE,
        RepairKind.ACCEPT,
        RepairKind.WRITE_OFF,
    }
)


class RepairState(StrEnum):
    WAITING = "WAITING"  # for a second person
    STARTED = "STARTED"
    DONE = "DONE"
    REFUSED = "REFUSED"  # by the second person, or taken back by the first
    FAILED = "FAILED"
    UNDONE = "UNDONE"


class Rest(StrEnum):
    """Where what the two sides of a forced match lie apart goes."""

    FEE = "fee"
    SUSPENSE = "suspense"
    WRITE_OFF = "write_off"


class ResolveRuleState(StrEnum):
    DRAFT = "DRAFT"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


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
