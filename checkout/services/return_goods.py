from uuid import UUID

from django.db import connection
from django.db.models import Sum

from checkout.errors import LinesAlreadyRefunded, StockBooksDisagree
from checkout.models import Order, RefundLine, Stock
from checkout.services.claim_refund_lines import claim_refund_lines


def return_goods(*, order: Order, refund: str) -> None:
    """This will put the goods whose money went back with `refund` up for sale again, where that was wished.

    An operation; the order must be locked; locks the stock. No piece is put back twice, whichever refunds name it.
    """
    assert connection.in_atomic_block, "return_goods() is an operation"
    try:
        claim_refund_lines(order=order, refund=refund)
    except LinesAlreadyRefunded:
        return  # it had failed, another refund took its place, and now both happened: a person was told
    lines = list(
        RefundLine.objects.filter(refund=refund, restock__gt=0, restocked=0, line__isnull=False)
        .select_related("line")
        .order_by("line__sku_id")
    )
    back = dict(
        RefundLine.objects.filter(order=order, line__isnull=False)
        .values_list("line")
        .annotate(sum=Sum("restocked"))
    )
    quantities: dict[UUID, int] = {}
    for line in lines:
        assert line.line is not None
        line.restocked = min(line.restock, line.line.quantity - back.get(line.line_id, 0))
        if line.restocked:
            quantities[line.line.sku_id] = line.restocked
    if quantities and not Stock.objects.put_back(quantities):
        raise StockBooksDisagree(f"The stock of {order.public_id} is gone.")
    RefundLine.objects.bulk_update(lines, ["restocked"])
