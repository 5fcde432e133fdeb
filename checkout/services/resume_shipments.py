from datetime import datetime, timedelta

import structlog

from checkout.models import Shipment
from checkout.services.take_shipment_money import take_shipment_money
from ledger.errors import Refusal

log = structlog.get_logger(__name__)

BATCH = 50
# Whoever packed it is still asking for its money until then.
_PATIENCE = timedelta(seconds=60)


def resume_shipments(*, now: datetime) -> int:
    """This will go on with shipments whose process was cut off before it asked for their money.

    Opens its own transactions; safe to repeat: what was asked for is asked for under the same key. Returns how many
    it took up.
    """
    waiting = Shipment.objects.waiting().filter(created_at__lte=now - _PATIENCE).order_by("created_at")
    taken_up = 0
    for row in waiting[:BATCH]:
        try:
            take_shipment_money(shipment=row.public_id, actor="system")
            taken_up += 1
        except Refusal as refusal:
            log.warning("shipment.not_resumed", shipment_id=row.public_id, code=refusal.code)
    return taken_up
