from datetime import datetime, timedelta

from django.db import connection

from checkout.models import Order, Reservation
from checkout.states import OrderState

HOLD = timedelta(minutes=15)
LONGEST_WITH_CUSTOMER = timedelta(minutes=45)
LONGEST_IN_REVIEW = timedelta(hours=2)


def extend_hold(*, order: str, until: datetime, longest: timedelta) -> None:
    """This will keep an unpaid order and its stock until `until`, at most `longest` after the stock was taken.

    An operation; locks the order. It never shortens, and leaves an order that is not waiting for payment alone.
    """
    assert connection.in_atomic_block, "extend_hold() is an operation"
    row = Order.objects.locked().named(order).get()
    expires_at = min(until, row.opened_at + longest)
    if row.state != OrderState.PENDING_PAYMENT or expires_at <= row.expires_at:
        return
    row.expires_at = expires_at
    row.save(update_fields=["expires_at"])
    Reservation.objects.live(row).update(expires_at=expires_at)
