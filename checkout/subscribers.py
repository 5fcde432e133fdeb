"""What follows an event after its commit: at least once, so everything here may be told twice."""

from typing import Any

from checkout.services.ask_to_confirm import ask_to_confirm
from checkout.services.write_once import write_once
from checkout.states import NotificationKind


def confirm_by_mail(event: str, payload: dict[str, Any]) -> None:
    """`order.paid`: the customer gets a confirmation. `event` is evt_…."""
    write_once(order=payload["reference"], kind=NotificationKind.ORDER_PAID)


def tell_of_rest_by_mail(event: str, payload: dict[str, Any]) -> None:
    """`order.rest_cancelled`: the customer hears what will not come, and that it cost nothing."""
    write_once(order=payload["reference"], kind=NotificationKind.REST_CANCELLED)


def tell_to_confirm(event: str, payload: dict[str, Any]) -> None:
    """`payment.action_required`: whoever was in review may have gone away, and is asked to confirm the payment."""
    if payload["reviewed"]:
        ask_to_confirm(payment=payload["payment"])
