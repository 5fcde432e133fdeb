"""The processor's words in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction

NOT_OPEN: Final = "invoice_not_open"
INVOICE_NOT_FOUND: Final = "invoice_not_found"
REFUND_NOT_FOUND: Final = "refund_not_found"

INVOICE_STATUS: Final = MappingProxyType(
    {
        "new": Outcome.ACTION_REQUIRED,
        "processing": Outcome.PENDING,  # seen on the chain, not confirmed
        "settled": Outcome.SUCCEEDED,
        "expired": Outcome.CANCELLED,
        "cancelled": Outcome.CANCELLED,
        "invalid": Outcome.DECLINED,  # it was seen and never confirmed
    }
)
REFUND_STATUS: Final = MappingProxyType(
    {"requested": Outcome.PENDING, "settled": Outcome.SUCCEEDED, "refused": Outcome.DECLINED}
)

Refusal = tuple[Outcome, Advice | None]
# `code` of an answer that is no invoice and no refund: nothing was done.
REFUSALS: Final = MappingProxyType[str, Refusal](
    {
        INVOICE_NOT_FOUND: (Outcome.NOT_FOUND, None),
        REFUND_NOT_FOUND: (Outcome.NOT_FOUND, None),
        NOT_OPEN: (Outcome.ERRORED, None),
        "invalid_request": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "reference_reused": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "forbidden": (Outcome.ERRORED, Advice.OTHER_METHOD),
        "amount_exceeded": (Outcome.ERRORED, None),
        "not_refundable": (Outcome.ERRORED, None),
    }
)
# The same of a payment that was to begin.
MEANINGS: Final = MappingProxyType(
    {
        "amount_exceeded": Meaning(Outcome.ERRORED, Reaction.OTHER_METHOD),
        "forbidden": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "invalid_request": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        # an earlier request had this reference: nobody else may be asked for the same money
        "reference_reused": Meaning(Outcome.ERRORED, Reaction.OTHER_METHOD),
    }
)
