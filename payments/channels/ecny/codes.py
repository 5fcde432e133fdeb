"""The generic profile's words in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction

OK: Final = "OK"
ORDER_NOT_FOUND: Final = "ORDER_NOT_FOUND"
REFUND_NOT_FOUND: Final = "REFUND_NOT_FOUND"
ORDER_NOT_OPEN: Final = "ORDER_NOT_OPEN"
BILL_NOT_READY: Final = "BILL_NOT_READY"
NO_BILL: Final = "NO_BILL"

ORDER_STATUS: Final = MappingProxyType(
    {
        "WAITING": Outcome.ACTION_REQUIRED,
        "PAYING": Outcome.PENDING,
        "PAID": Outcome.SUCCEEDED,  # also when it went back since
        "CLOSED": Outcome.CANCELLED,
    }
)
REFUND_STATUS: Final = MappingProxyType(
    {"PROCESSING": Outcome.PENDING, "REFUNDED": Outcome.SUCCEEDED, "FAILED": Outcome.ERRORED}
)

Refusal = tuple[Outcome, Advice | None]
# `code` of an answer: nothing was done.
REFUSALS: Final = MappingProxyType[str, Refusal](
    {
        "ACCOUNT_CLOSED": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "AMOUNT_EXCEEDED": (Outcome.ERRORED, None),
        "INVALID_FIELD": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "INVALID_SIGN": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "LIMIT_EXCEEDED": (Outcome.DECLINED, Advice.OTHER_METHOD),  # of the customer's wallet
        "MERCHANT_BALANCE": (Outcome.ERRORED, Advice.TRY_AGAIN),
        "NOT_ALLOWED": (Outcome.ERRORED, Advice.OTHER_METHOD),
        ORDER_NOT_OPEN: (Outcome.ERRORED, None),
        ORDER_NOT_FOUND: (Outcome.NOT_FOUND, None),
        REFUND_NOT_FOUND: (Outcome.NOT_FOUND, None),
    }
)
# The same of a payment that was to begin.
MEANINGS: Final = MappingProxyType(
    {
        "ACCOUNT_CLOSED": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "AMOUNT_EXCEEDED": Meaning(Outcome.ERRORED, Reaction.OTHER_METHOD),
        "INVALID_FIELD": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "INVALID_SIGN": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "LIMIT_EXCEEDED": Meaning(Outcome.DECLINED, Reaction.OTHER_METHOD),
        "NOT_ALLOWED": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
    }
)
