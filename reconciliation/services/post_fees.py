from collections.abc import Sequence
from typing import Final

from django.db import connection

from ledger.errors import Refusal
from ledger.facts import Posting
from ledger.services.post_many import post_many
from payments.booked import orders_behind
from reconciliation.fee_names import Fee, FeeNames
from reconciliation.models import Discrepancy, OpenItem, StatementFile
from reconciliation.rows import Line
from reconciliation.rules import fee_entries, has_fee, is_charged
from reconciliation.services.correct_fees import correct_fees
from reconciliation.states import DiscrepancyKind, Side

_NOT_OURS: Final = (DiscrepancyKind.MISSING_HERE.value, DiscrepancyKind.DUPLICATE.value)


def post_fees(*, file: StatementFile, lines: Sequence[Line], names: FeeNames) -> int:
    """This will post what the channel kept of each of these lines that is a movement of ours, once.

    Every fee is rounded half up by itself. Where it is not as the tariff says, the tariff is posted: the rest
    belongs to its discrepancy. A corrected file (`names` of version 2 and later) reverses what it says otherwise and
    posts that anew. A line that we have nothing of waits: settling the file again posts what was found meanwhile.
    An operation: needs an open transaction. Returns how many fees were posted.
    """
    assert connection.in_atomic_block, "post_fees() is an operation"
    charged = [line for line in lines if has_fee(line) or (names.version > 1 and is_charged(line))]
    unknown = _unknown(file, charged)
    expected = _expected(file, charged)
    ours = [
        line._replace(fee=expected.get(line.number, line.fee))
        for line in charged
        if line.number not in unknown
    ]
    orders = orders_behind({line.reference for line in ours})
    fees = names.fees_of([line for line in ours if line.reference in orders], orders)
    wanted = fees if names.version == 1 else correct_fees(fees=fees, version=names.version)
    return _written(file.channel, wanted)


def _unknown(file: StatementFile, lines: Sequence[Line]) -> set[int]:
    """The numbers of lines that are nothing of ours, or not yet."""
    if not lines:
        return set()
    span = (lines[0].number, lines[-1].number)
    waiting = OpenItem.objects.filter(file=file, side=Side.THEIRS, line__range=span, cleared_at=None)
    refused = Discrepancy.objects.filter(file=file, line__range=span, kind__in=_NOT_OURS)
    refused = refused.filter(open_item=None)
    return {*waiting.values_list("line", flat=True), *refused.values_list("line", flat=True)}


def _expected(file: StatementFile, lines: Sequence[Line]) -> dict[int, int]:
    """By line, what should have been kept, where that is not what was."""
    if not lines:
        return {}
    span = (lines[0].number, lines[-1].number)
    told = Discrepancy.objects.filter(file=file, line__range=span, kind=DiscrepancyKind.FEE)
    return dict(told.values_list("line", "fee"))


def _written(channel: str, fees: Sequence[Fee]) -> int:
    postings = [
        Posting(
            business_key=fee.key,
            reference=fee.reference,
            description=f"Fee of {channel} {fee.words}"[:300],
            entries=fee_entries(channel, fee.amount),
            happened_at=fee.happened_at,
        )
        for fee in fees
        if fee.amount.minor
    ]
    for answer in post_many(postings=postings) if postings else ():
        if isinstance(answer, Refusal):
            raise answer
    return len(postings)
