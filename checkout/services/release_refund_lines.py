from django.db import connection

from checkout.models import Order, RefundLine


def release_refund_lines(*, order: Order, refund: str) -> None:
    """This will let what a failed refund was for be refunded again. An operation; the order must be locked."""
    assert connection.in_atomic_block, "release_refund_lines() is an operation"
    RefundLine.objects.filter(order=order, refund=refund).update(released=True)
