"""Let a frozen device pay again."""

from django.db import transaction
from django.utils import timezone

from ledger import audit
from ledger.sentences import Sentence
from risk import devices
from risk.errors import DeviceNotFrozen, DeviceNotTrusted, FreezeReasonMissing
from risk.features import text
from risk.models import Freeze


def unfreeze_device(
    *, device: str, reason: str, actor: str, customer: str = "", asked_from: str = ""
) -> None:
    """This will end what `freeze_device` began, from the next decision on; the row stays.

    An operator ends all of it, a `customer` what they began themselves, and only `asked_from` (a device cookie's
    value) another device that they have used for a day or confirmed a payment on: who found the phone may know the
    password too. Use case; locks what it ends. Raises `DeviceNotFound`, `DeviceNotFrozen`, `DeviceNotTrusted`,
    `FreezeReasonMissing`.
    """
    if not text(reason).strip():
        raise FreezeReasonMissing(Sentence("Say why: the reason is kept with the device."), param="reason")
    row, customer_key = devices.find(device, customer=customer), devices.customer_key(customer)
    if customer and not devices.may_thaw(row, customer=customer, asked_from=asked_from):
        raise DeviceNotTrusted(
            "Ask from another device of yours that you have used for a day, or write to us."
        )
    with transaction.atomic(durable=True):
        standing = Freeze.objects.standing().filter(device_key=row.device_key).locked()
        freezes = list(standing.filter(customer_key=customer_key) if customer else standing)
        if not freezes:
            raise DeviceNotFrozen(Sentence("This device is not frozen, or not by you."))
        audit.attribute(actor=actor, reason=reason)
        for freeze in freezes:
            freeze.ended_at, freeze.ended_by, freeze.end_reason = timezone.now(), actor, text(reason, 300)
            freeze.save(update_fields=["ended_at", "ended_by", "end_reason"])
            audit.record(action="device.unfrozen", object_id=device, after={"freeze": freeze.public_id})
