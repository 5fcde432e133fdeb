"""The bank's words in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Outcome

ORDER_NOT_FOUND: Final = "order_not_found"
NOT_READY: Final = "statement_not_ready"
NO_STATEMENT: Final = "no_statement"

# ISO 20022's status of a payment order.
ORDER_STATUS: Final = MappingProxyType(
    {
        "RCVD": Outcome.PENDING,
        "ACTC": Outcome.PENDING,
        "ACCP": Outcome.PENDING,
        "ACSP": Outcome.PENDING,
        "ACSC": Outcome.SUCCEEDED,
        "RJCT": Outcome.DECLINED,  # also when the money came back after ACSC
    }
)
# `code` of an answer that is no order: nothing was done.
REFUSALS: Final = MappingProxyType(
    {
        ORDER_NOT_FOUND: Outcome.NOT_FOUND,
        "invalid_order": Outcome.ERRORED,
        "amount_exceeded": Outcome.ERRORED,
        "end_to_end_id_reused": Outcome.ERRORED,
        "insufficient_funds": Outcome.ERRORED,
        "forbidden": Outcome.ERRORED,
    }
)
