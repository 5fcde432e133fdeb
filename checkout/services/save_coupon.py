"""Make or change a coupon."""

from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction

from checkout.errors import CouponInvalid
from checkout.models import Coupon
from checkout.selectors.coupons import cleaned
from ledger.audit import attribute, record


def save_coupon(
    *, code: str, basis_points: int, actor: str, active: bool = True, ends_at: datetime | None = None
) -> str:
    """This will let `code` take `basis_points` (hundredths of a percent) off an order of each customer, and return it.

    Orders keep the price that they were placed at; quotes with an older discount are stale. Own transaction.
    Raises `CouponInvalid`.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="coupon")
        row = Coupon.objects.filter(code=cleaned(code)).first() or Coupon(code=cleaned(code))
        made = row._state.adding
        before = None if made else _of(row)
        row.basis_points, row.active, row.ends_at = basis_points, active, ends_at
        try:
            row.full_clean()
        except ValidationError as invalid:
            field = next(iter(invalid.message_dict))
            known = field in ("code", "basis_points", "ends_at")
            raise CouponInvalid(
                " ".join(invalid.messages), param=field if known else "basis_points"
            ) from invalid
        if made:
            row.save(force_insert=True)
        else:
            row.save(update_fields=["basis_points", "active", "ends_at"])
        record(action="coupon.saved", object_id=row.code, before=before, after=_of(row))
    return row.code


def _of(row: Coupon) -> dict[str, object]:
    return {"basis_points": row.basis_points, "active": row.active, "ends_at": row.ends_at}
