"""Describe and price an article."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from checkout.errors import SkuInvalid
from checkout.models import Sku, Stock
from ledger.audit import attribute, record

_SAYABLE = (
    "title_zh",
    "title_en",
    "description_zh",
    "description_en",
    "price",
    "tax_class",
    "image",
    "active",
    "position",
    "purchase_limit",
)
_RECORDED = ("price", "tax_class", "active", "purchase_limit")


def save_sku(*, sku: str, says: Mapping[str, Any], actor: str, currency: str = "CNY") -> None:
    """This will create the article or change what the catalogue says of it (`price` in minor units).

    A new article has no stock yet: see `adjust_stock`. Orders keep the price that they were placed at; quotes that
    promise an older price are stale. Raises `SkuInvalid`. Own transaction; locks the article.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="catalogue")
        row = Sku.objects.locked().filter(code=sku).first() or Sku(code=sku, currency=currency)
        is_new = row._state.adding
        before = None if is_new else _of(row)
        for name in _SAYABLE:
            if name in says:
                setattr(row, name, says[name])
        try:
            row.full_clean()
        except ValidationError as invalid:
            raise SkuInvalid(" ".join(invalid.messages), param=next(iter(invalid.message_dict))) from invalid
        if is_new:
            row.save(force_insert=True)
            Stock.objects.create(sku=row)
        else:
            row.save(update_fields=_SAYABLE)
        record(action="sku.saved", object_id=sku, before=before, after=_of(row))


def _of(row: Sku) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _RECORDED}
