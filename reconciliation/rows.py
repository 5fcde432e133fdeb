"""A line of a statement in the one form that every parser writes and every comparison reads. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Payments:
    """Many lines at once, by column: payments that succeeded, each with a name of ours, `seconds` after `midnight`."""

    numbers: Sequence[int]
    references: Sequence[str]
    their_references: Sequence[str]
    amounts: Sequence[int]
    fees: Sequence[int]
    currency: str
    midnight: datetime
    seconds: Sequence[int]
    texts: Sequence[str]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Line]:
        whose = (self.numbers, self.references, self.their_references, self.amounts, self.fees)
        for number, ours, theirs, amount, fee, second, text in zip(
            *whose, self.seconds, self.texts, strict=True
        ):
            yield Line(
                number=number,
                kind=LineKind.PAYMENT.value,
                reference=ours,
                parent="",
                their_reference=theirs,
                group="",
                amount=amount,
                fee=fee,
                currency=self.currency,
                happened_at=self.midnight + timedelta(seconds=second),
                state=LineState.SUCCESS.value,
                text=text,
            )


Batch = Sequence[Line] | Payments
