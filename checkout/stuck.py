"""What checkout knows to be stuck; `settings.STUCK_SOURCES` names `kinds`."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from checkout.models import Shipment
from checkout.models.shipments import PREFIX
from ledger.stuck import Action, Button, StuckKind, Told, by_identifier

# Captures are answered in seconds, and the janitor goes on with those that were not.
_PATIENCE = timedelta(minutes=15)


def kinds() -> Iterator[StuckKind]:
    yield StuckKind(
        code="shipment_waiting",
        title=gettext_lazy("Shipment without money"),
        buttons=(
            Button(
                action=Action.RESUME_SHIPMENT,
                label=gettext_lazy("Ask for its money again"),
                promise=gettext_lazy(
                    "Captures what the parcel costs, under the same key as before; refused, the parcel stays here."
                ),
                moves_money=True,
            ),
        ),
        rows=_waiting,
        tell=_waiting_told,
        named=by_identifier(PREFIX),
    )


def _waiting(now: datetime) -> QuerySet[Shipment]:
    rows = Shipment.objects.waiting().filter(created_at__lte=now - _PATIENCE).select_related("order")
    return rows.annotate(
        stuck_since=F("created_at"), stuck_amount=F("amount"), stuck_currency=F("order__currency")
    )


def _waiting_told(row: Shipment) -> Told:
    what = _("A packed parcel does not leave: its money is not taken.")
    return Told(row.public_id, row.order.public_id, what, details=row.order.public_id)
