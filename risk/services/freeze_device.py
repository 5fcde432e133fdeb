"""Keep a device from paying."""

from django.db import IntegrityError, transaction

from ledger import audit
from ledger.sentences import Sentence
from risk import devices
from risk.errors import FreezeReasonMissing
from risk.features import text
from risk.models import Freeze


def freeze_device(*, device: str, reason: str, actor: str, customer: str = "") -> str:
    """This will refuse every payment from `device` ("dev_…") from the next decision on, and return the "frz_…".

    With `customer` ("cus_…") only that customer's, whose device it must be. Asking twice changes nothing. Use case.
    Raises `DeviceNotFound`, `FreezeReasonMissing`. A payment that is decided at the same moment may still go on.
    """
    if not text(reason).strip():
        raise FreezeReasonMissing(
            Sentence("Say why: the reason is shown wherever the device is refused."), param="reason"
        )
    row, customer_key = devices.find(device, customer=customer), devices.customer_key(customer)
    same = Freeze.objects.standing().filter(device_key=row.device_key, customer_key=customer_key)
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        try:
            with transaction.atomic():
                freeze = Freeze.objects.create(
                    device_key=row.device_key,
                    customer_key=customer_key,
                    reason=text(reason, 300),
                    created_by=actor,
                )
        except IntegrityError:
            return same.get().public_id
        audit.record(
            action="device.frozen",
            object_id=device,
            after={"freeze": freeze.public_id, "for": customer or "all"},
        )
        return freeze.public_id
