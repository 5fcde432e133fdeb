"""What the ledger refuses, and the base of every refusal in the house."""

from typing import Any, ClassVar


class Refusal(Exception):
    """A request that is understood and refused. The message tells a person what to do about it.

    `code` is stable and snake_case, `status` the HTTP status, `param` the input at fault (if one is),
    `context` further facts for the machine. A message that is a `Sentence` is said in the reader's language.
    Subclasses set `code`, and `status` where it is not 422.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 422

    def __init__(self, message: str, *, param: str | None = None, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.context = context


class UnknownAccount(Refusal):
    """The name is not in the chart of accounts."""

    code = "unknown_account"


class UnbalancedPosting(Refusal):
    """Fewer than two entries, an entry of zero, or a currency whose entries do not sum to zero."""

    code = "unbalanced_posting"


class BusinessKeyConflict(Refusal):
    """The business key was posted before with another reference or other entries."""

    code = "business_key_conflict"
    status = 409


class DayClosed(Refusal):
    """The accounting day that was asked for is closed: post into an open one."""

    code = "day_closed"
    status = 409


class DayNotEnded(Refusal):
    code = "day_not_ended"


class DayBusy(Refusal):
    """Somebody is posting into the day that is to be closed."""

    code = "day_busy"
    status = 409


class DayOutOfBalance(Refusal):
    """The rows of the books were changed behind the guards: a day like that is not closed."""

    code = "day_out_of_balance"
    status = 409


class UnknownRate(Refusal):
    """Nobody has told the rate of these two currencies for that moment."""

    code = "unknown_rate"


class RateRefused(Refusal):
    code = "rate_refused"


class TransactionNotFound(Refusal):
    code = "transaction_not_found"
    status = 404


class AlreadyReversed(Refusal):
    """A transaction is reversed at most once."""

    code = "already_reversed"
    status = 409


class UnknownReport(Refusal):
    """No report has such a number: its account, period, currency or key is none."""

    code = "unknown_report"
    status = 404
