from django.db import connection

from reconciliation.fee_names import FeeNames
from reconciliation.models import OpenItem
from reconciliation.rows import Line
from reconciliation.runs import payout_terms
from reconciliation.services.post_fees import post_fees
from reconciliation.states import Side


def post_fee_of_item(*, item: OpenItem) -> int:
    """This will post what the channel kept of a line that waited for us, once our books have its movement.

    An operation: needs an open transaction; the item is cleared. The same as settling the file again, of this line
    only. Returns how many fees it posted.
    """
    assert connection.in_atomic_block, "post_fee_of_item() is an operation"
    file = item.file
    terms = payout_terms(file.channel)
    if item.side != Side.THEIRS or not file.is_live or terms is None or file.kind != terms.fees:
        return 0
    line = Line(
        number=item.line,
        kind=item.kind,
        reference=item.reference,
        parent=item.parent,
        their_reference=item.their_reference,
        group=item.grp,
        amount=item.amount,
        fee=item.fee,
        currency=item.currency,
        happened_at=item.happened_at,
        state=item.line_state,
        text=item.text,
    )
    return post_fees(file=file, lines=[line], names=FeeNames(file.version, alone=True))
