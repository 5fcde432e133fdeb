"""Note that a customer sits at a device."""

from datetime import datetime

from django.db import connection

from ledger import audit
from risk import trust
from risk.models import Decision, Tie
from risk.states import EntityKind


def verify_device(*, decision: Decision, kind: str, happened_at: datetime) -> None:
    """This will remember that the decision's customer passed a challenge of `kind` on the device that asked.

    Operation: needs an open transaction. Nothing is kept for guests' e-mail addresses of one order, for what came
    without a device, and for challenges that prove nobody.
    """
    assert connection.in_atomic_block, "verify_device() belongs to the transaction of the answer"
    entities = decision.inputs["entities"]
    device = entities.get(EntityKind.DEVICE, "")
    if kind not in trust.PROOFS or not (device and entities.get(EntityKind.CUSTOMER)):
        return
    Tie.objects.verify(
        Tie(
            customer_key=decision.customer_key,
            entity=EntityKind.DEVICE,
            entity_key=device,
            first_at=decision.happened_at,
            last_at=decision.happened_at,
            verified_at=happened_at,
            verified_as=decision.inputs.get("device", {}).get("fingerprint", ""),
        )
    )
    audit.record(
        action="device.verified", object_id=decision.public_id, after={"device": device, "kind": str(kind)}
    )
