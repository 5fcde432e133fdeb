"""What follows an event after its commit: at least once, so everything here may be told twice."""

from typing import Any

from checkout.services.confirm_payment import confirm_payment


def confirm_by_mail(event: str, payload: dict[str, Any]) -> None:
    """`order.paid`: the customer gets a confirmation. `event` is evt_…."""
    confirm_payment(order=payload["reference"])
