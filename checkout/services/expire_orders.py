"""Cancel orders whose time is over."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from checkout.models import Order
from checkout.services.withdraw_order import withdraw_order
from ledger.errors import Refusal

log = structlog.get_logger(__name__)

RETRY_AFTER = timedelta(minutes=1)


def expire_orders(*, now: datetime, limit: int = 100) -> int:
    """This will cancel at most `limit` unpaid orders past their time, as `cancel_order` does; returns how many.

    An order whose payment cannot be closed now is left for a later run, and so never stands in the way of others.
    Several workers may run it at once: each order is claimed by one. One transaction to claim, one per order.
    """
    with transaction.atomic(durable=True):
        claimed = Order.objects.claim_overdue(now, limit, RETRY_AFTER)
    return sum(_expire(row.public_id, now) for row in claimed)


def _expire(order: str, now: datetime) -> bool:
    try:
        return withdraw_order(order=order, actor="system", reason="expired", overdue_at=now)
    except Refusal as refusal:
        log.info("order.not_expired_yet", order=order, code=refusal.code)
    except Exception:
        # One broken order must not keep the stock of all others.
        log.exception("order.expiry_failed", order=order)
    return False
