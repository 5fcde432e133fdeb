"""Set how many of an article there are."""

from django.db import transaction

from checkout.errors import QuantityInvalid, SkuUnknown, StockInUse
from checkout.models import Stock
from ledger.audit import attribute, record

_MOST = 1_000_000_000


def adjust_stock(*, sku: str, total: int, actor: str, reason: str) -> None:
    """This will set the article's total. Raises `SkuUnknown`, `StockInUse` (orders hold more), `QuantityInvalid`.

    Own transaction; locks the stock row.
    """
    if not 0 <= total <= _MOST:
        raise QuantityInvalid(f"Choose a whole number from 0 to {_MOST:,}.", param="total")
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        row = Stock.objects.locked().filter(sku__code=sku).first()
        if row is None:
            raise SkuUnknown("There is no such article.", param="sku")
        if total < row.reserved:
            raise StockInUse(
                f"Orders hold {row.reserved} of it: choose at least that many, or wait.", param="total"
            )
        before, row.total = row.total, total
        row.save(update_fields=["total"])
        record(action="stock.adjusted", object_id=sku, before=before, after=total)
