"""Periodic work of checkout."""

from celery import shared_task
from django.utils import timezone

from checkout.services import expire_orders as use_case
from checkout.services import finish_orders as finishing
from checkout.services import resume_shipments as resuming


@shared_task(ignore_result=True)
def expire_orders() -> int:
    """Every 30 seconds: free the stock of orders that were not paid in time."""
    return use_case.expire_orders(now=timezone.now())


@shared_task(ignore_result=True)
def resume_shipments() -> int:
    """Every 30 seconds: go on with shipments whose process was cut off."""
    return resuming.resume_shipments(now=timezone.now())


@shared_task(ignore_result=True)
def finish_orders() -> int:
    """Every hour: orders that left long enough ago are done."""
    return finishing.finish_orders(now=timezone.now())
