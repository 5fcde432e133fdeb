"""Periodic work of risk."""

from celery import shared_task
from django.utils import timezone

from risk.services import settle_challenge_codes as settling


@shared_task(ignore_result=True)
def settle_challenge_codes() -> int:
    """Every 10 seconds: codes whose messenger gave no clear answer."""
    return settling.settle_challenge_codes(now=timezone.now())
