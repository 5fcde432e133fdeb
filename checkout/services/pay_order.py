"""Pay an order."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from checkout.errors import OrderNotPayable
from checkout.facts import WRITE_ORDERS, Client, Viewer
from checkout.models import Order
from checkout.selectors.allowances import require_room, shortages_of_order
from checkout.selectors.contacts import contacts_of
from checkout.selectors.orders import find
from checkout.selectors.screening import facts_about
from checkout.services.extend_hold import LONGEST_WITH_CUSTOMER
from checkout.states import OrderState
from payments.facts import PaymentIntent
from payments.selectors import PaymentView
from payments.services.start_payment import start_payment
from payments.states import CaptureMode, PaymentMethod


def pay_order(
    *,
    order: str,
    viewer: Viewer,
    method: str,
    client: Client,
    return_url: str,
    instrument: str = "",
    saved_method: str = "",
    keep_instrument: bool = False,
) -> PaymentView:
    """This will start (or try again) the order's payment by `method`; `instrument` is a card token, never a number.

    `saved_method` names a card that the viewer keeps instead; `keep_instrument` is the consent to keep this one.

    Raises `OrderNotFound`, `OrderNotPayable`, `CustomerLimitReached` and all that `start_payment` raises.
    Asks the provider: must run outside any transaction. What is checked here is only for an early answer;
    `handlers.payment_started` decides, under the order's lock.
    """
    row = find(order, viewer, WRITE_ORDERS)
    now = timezone.now()
    _require_payable(row, now)
    lines = list(row.lines.order_by("code"))
    facts = facts_about(row, skus=[line.code for line in lines], client=client, stage="payment", now=now)
    require_room(shortages_of_order(row, [method], now, facts.customer).get(method))
    return start_payment(
        intent=PaymentIntent(
            reference=row.public_id,
            amount=row.owed,
            method=method,
            description=_description(
                row, [line.title_zh if row.in_chinese else line.title_en for line in lines]
            ),
            facts=facts,
            return_url=return_url,
            expires_at=_time_to_pay(row, method, now),
            instrument=instrument,
            customer=viewer.customer,
            saved_method=saved_method,
            keep_instrument=keep_instrument,
            device=client.device_kind,
            client_ip=client.ip,
            session=client.session,
            contacts=contacts_of(row),
            language=client.language,
            capture_mode=CaptureMode.MANUAL if settings.CAPTURE_ON_SHIPMENT else CaptureMode.AUTOMATIC,
        )
    )


def _require_payable(row: Order, now: datetime) -> None:
    if row.state != OrderState.PENDING_PAYMENT:
        raise OrderNotPayable("This order is not waiting for payment.")
    if row.expires_at <= now:
        raise OrderNotPayable("The time to pay is over; order again.")


def _time_to_pay(row: Order, method: str, now: datetime) -> datetime:
    """A bank transfer takes days. Nothing else waits that long because a transfer was begun before it."""
    if method == PaymentMethod.BANK_TRANSFER:
        return row.opened_at + settings.BANK_TRANSFER_HOLD
    return min(row.expires_at, now + LONGEST_WITH_CUSTOMER)


def _description(row: Order, titles: list[str]) -> str:
    """What the customer reads in the wallet or on the statement."""
    more = len(titles) - 1
    if not more:
        return titles[0]
    return f"{titles[0]} 等 {len(titles)} 件商品" if row.in_chinese else f"{titles[0]} and {more} more"
