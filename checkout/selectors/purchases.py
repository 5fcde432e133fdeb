"""Purchase limits: so many of an article per customer in 30 days. For the use cases of this app."""

from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, Sum

from checkout.errors import PurchaseLimitExceeded
from checkout.models import Order, OrderLine
from checkout.selectors.carts import PricedCart
from checkout.states import BOUGHT

WINDOW = timedelta(days=30)


def require_within_limits(
    cart: PricedCart, *, user_id: int | None, email: str, now: datetime, besides: Order | None = None
) -> None:
    """Raises `PurchaseLimitExceeded` naming the article, counting all of the customer's orders `besides` this one.

    Exact for a caller who holds the articles' stock rows locked: orders of the same article then come one by one.
    """
    limits = {row.pk: row.purchase_limit for row in cart.skus.values() if row.purchase_limit is not None}
    if not limits:
        return
    earlier = _bought(user_id=user_id, email=email, skus=limits, since=now - WINDOW, besides=besides)
    for item in cart.items:
        key = cart.skus[item.sku].pk
        had = earlier.get(key, 0)
        if key in limits and had + item.quantity > limits[key]:
            raise PurchaseLimitExceeded(
                f"At most {limits[key]} of {item.sku} per customer in {WINDOW.days} days; you have {had} already.",
                param="items",
                sku=item.sku,
                limit=limits[key],
                bought=had,
            )


def _bought(
    *, user_id: int | None, email: str, skus: Collection[UUID], since: datetime, besides: Order | None
) -> dict[UUID, int]:
    """How many of each the customer ordered and did not cancel, by account or e-mail address."""
    if user_id is None and not email:
        return {}
    who = Q(order__email=email) if email else Q()
    if user_id is not None:
        who |= Q(order__user_id=user_id)
    rows = OrderLine.objects.filter(who, sku__in=skus, order__state__in=BOUGHT, order__created_at__gte=since)
    if besides is not None:
        rows = rows.exclude(order=besides)
    return dict(rows.values("sku").annotate(had=Sum("quantity")).values_list("sku", "had"))
