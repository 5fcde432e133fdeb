"""Coupons as a price needs them. For the use cases of this app."""

from django.db.models import Q

from checkout.errors import CouponUnknown, CouponUsed
from checkout.models import Coupon, Order
from checkout.pricing import Discount
from checkout.states import BOUGHT

_LONGEST = 40


def cleaned(code: str) -> str:
    """As it is kept: what a customer types has other capitals, and spaces."""
    return "".join(code.upper().split())


def discounts_of(code: str) -> tuple[Discount, ...]:
    """What the code takes off; nothing without one. Raises `CouponUnknown`."""
    if not code:
        return ()
    coupon = Coupon.objects.good(code).first() if len(code) <= _LONGEST and code.isprintable() else None
    if coupon is None:
        raise CouponUnknown("There is no such coupon, or it has ended.", param="coupon")
    return (Discount(code=coupon.code, basis_points=coupon.basis_points),)


def require_unused(code: str, *, user_id: int | None, email: str = "", besides: Order | None = None) -> None:
    """Raises `CouponUsed` when this customer, by account or e-mail address, has an order with it that stands."""
    who = Q(email=email) if email else Q(pk__in=[])
    if user_id is not None:
        who |= Q(user_id=user_id)
    orders = Order.objects.filter(who, coupon=code, state__in=BOUGHT)
    if besides is not None:
        orders = orders.exclude(pk=besides.pk)
    if code and orders.exists():
        raise CouponUsed("You have used this coupon before; take it out.", param="coupon")
