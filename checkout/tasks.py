"""Periodic work of checkout."""

from celery import shared_task
from django.utils import timezone

from checkout.services import expire_orders as use_case


@shared_task(ignore_result=True)
def expire_orders() -> int:
    """Every 30 seconds: free the stock of orders that were not paid in time."""
    return use_case.expire_orders(now=timezone.now())
