"""A line of a statement in the one form that every parser writes and every comparison reads. Pure."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class LineKind(StrEnum):
    """What a line says happened. The last two are lines of a bank account, the others of a channel's statement."""

    PAYMENT = "payment"
    REFUND = "refund"
    REFUND_RETURNED = "refund_returned"  # the customer's bank did not take it
    DISPUTE = "dispute"
    DISPUTE_WON = "dispute_won"
    DISPUTE_FEE = "dispute_fee"
    FEE = "fee"  # of no single payment
    PAYOUT = "payout"
    OTHER = "other"
    CREDIT = "credit"
    DEBIT = "debit"


class LineState(StrEnum):
    SUCCESS = "success"
    PROCESSING = "processing"
    FAILED = "failed"


class Line(NamedTuple):
    """`amount` is in minor units as the merchant sees it: a payment adds, a refund, dispute or payout takes away.

    `fee` is what the channel keeps of this movement, in thousandths of a minor unit; negative when it is given back.
    """

    number: int  # of the line or record in the file, from 1
    kind: str
    reference: str  # ours: att_… of a payment, ref_… of a refund; "" when they name none
    parent: str  # of a refund or dispute: the payment's att_…
    their_reference: str
    group: str  # the payout or batch that it is part of; "" when not told
    amount: int
    fee: int
    currency: str
    happened_at: datetime
    state: str
    text: str  # payer, subject or remittance information, 200 characters at most, never a card number
