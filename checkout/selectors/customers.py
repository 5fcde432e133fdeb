"""What is known of a customer from earlier orders."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import Count, Q, Sum

from checkout.models import Order, OrderLine
from checkout.states import BOUGHT, PAID


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHistory:
    paid_orders: int
    registered_at: datetime | None
    device_seen: bool  # one of the paid orders came from the device


def customer_history(*, user_id: int | None, email: str, device_id: str) -> CustomerHistory:
    """Earlier paid orders. An e-mail address proves nothing: a guest's count only from the same device."""
    who = Q(user_id=user_id) if user_id is not None else Q(user=None, email=email, device_id=device_id)
    if user_id is None and not device_id:
        return CustomerHistory(paid_orders=0, registered_at=None, device_seen=False)
    counted = Order.objects.filter(who, state__in=PAID).aggregate(
        paid=Count("pk"), here=Count("pk", filter=Q(device_id=device_id))
    )
    registered = get_user_model().objects.filter(pk=user_id).values_list("date_joined", flat=True).first()
    return CustomerHistory(
        paid_orders=counted["paid"],
        registered_at=registered,
        device_seen=bool(device_id) and counted["here"] > 0,
    )


def bought(*, user_id: int | None, email: str, skus: Collection[UUID], since: datetime) -> dict[UUID, int]:
    """How many of each the customer ordered since then and did not cancel, by account or e-mail address."""
    who = Q(order__email=email) if email else Q()
    if user_id is not None:
        who |= Q(order__user_id=user_id)
    rows = OrderLine.objects.filter(who, sku__in=skus, order__state__in=BOUGHT, order__created_at__gte=since)
    return dict(rows.values("sku").annotate(quantity=Sum("quantity")).values_list("sku", "quantity"))
