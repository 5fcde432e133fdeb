from datetime import datetime

from django.conf import settings
from django.db import transaction

from checkout.models import Order
from checkout.states import OrderState

BATCH = 200


def finish_orders(*, now: datetime) -> int:
    """This will call orders DONE that left the house `ORDER_DONE_AFTER` ago, whether or not somebody said they arrived.

    Opens its own transactions, one an order; safe to repeat. Returns how many.
    """
    due = Order.objects.filter(state=OrderState.FULFILLED, fulfilled_at__lte=now - settings.ORDER_DONE_AFTER)
    done = 0
    for key in due.order_by("fulfilled_at").values_list("pk", flat=True)[:BATCH]:
        with transaction.atomic(durable=True):
            row = Order.objects.locked().get(pk=key)
            if row.state == OrderState.FULFILLED:
                row.finish()
                row.save(update_fields=["state"])
                done += 1
    return done
