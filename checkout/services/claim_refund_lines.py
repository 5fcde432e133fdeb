from django.db import connection

from checkout.errors import LinesAlreadyRefunded
from checkout.models import Order, RefundLine
from checkout.selectors.refunds import what_is_left
from checkout.selectors.shipments import units_left


def claim_refund_lines(*, order: Order, refund: str) -> None:
    """This will count again what a failed refund gave free, since it is tried again.

    What had not left then, and has left meanwhile, is not kept here any more. An operation; the order must be
    locked. Raises `LinesAlreadyRefunded` when something of it was refunded meanwhile.
    """
    assert connection.in_atomic_block, "claim_refund_lines() is an operation"
    freed = list(RefundLine.objects.filter(refund=refund, released=True).select_related("line"))
    if not freed:
        return
    left = what_is_left(order)
    rest = {line.key: (line.quantity, line.amount.minor) for line in left.lines}
    for line in freed:
        quantity, amount = rest[line.line_id] if line.line_id else (0, left.shipping.minor)
        if line.quantity > quantity or line.amount > amount:
            raise LinesAlreadyRefunded("What this refund is for was refunded in another way meanwhile.")
    units = units_left(order)
    for line in freed:
        line.released = False
        if line.line and units[line.line.code] < line.unsent:
            line.restock -= min(line.restock, line.unsent - units[line.line.code])
            line.unsent = units[line.line.code]
        line.save(update_fields=["released", "unsent", "restock"])
