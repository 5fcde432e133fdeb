from django.db import connection

from checkout.models import Shipment


def call_off_shipment(*, shipment: Shipment, refusal: str) -> None:
    """This will keep a waiting shipment here, for its money was not taken; its goods may be shipped anew.

    An operation; the order and the shipment must be locked.
    """
    assert connection.in_atomic_block, "call_off_shipment() is an operation"
    shipment.call_off(refusal)
    shipment.save(update_fields=["state", "refusal"])
