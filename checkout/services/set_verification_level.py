"""Say how far a customer is verified."""

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from checkout.errors import CustomerNotFound, LevelInvalid
from checkout.facts import storable
from checkout.models import Verification
from checkout.models.levels import HIGHEST
from ledger import audit


def set_verification_level(*, customer: str, level: int, reason: str, actor: str) -> str:
    """This will give `customer` ("cus_…" or a user name) a level from 0 to 3 from the next payment on.

    Level 0 has no limits, as nobody stores a balance here; from I on the policy's limits hold. Returns the "cus_…".
    Use case; locks the customer's row. Raises `CustomerNotFound`, `LevelInvalid`.
    """
    if not 0 <= level <= HIGHEST:
        raise LevelInvalid(f"A level is a whole number from 0 to {HIGHEST}.", param="level")
    if not reason.strip() or not storable(reason):
        raise LevelInvalid("Say why: which papers were seen, by whom.", param="reason")
    user_id = _user(customer.strip())
    with transaction.atomic(durable=True):
        audit.attribute(actor=actor, reason=reason)
        row, made = Verification.objects.get_or_create(
            user_id=user_id, defaults={"level": 0, "reason": reason[:300], "set_by": actor}
        )
        row = Verification.objects.locked().get(pk=row.pk)
        before, row.level, row.reason = row.level, level, reason[:300]
        row.set_by, row.set_at = actor, timezone.now()
        row.save(update_fields=["level", "reason", "set_by", "set_at"])
        audit.record(
            action="customer.level",
            object_id=f"cus_{user_id}",
            before=None if made else {"level": before},
            after={"level": level},
        )
    return f"cus_{user_id}"


def _user(customer: str) -> int:
    known = get_user_model().objects.values_list("pk", flat=True)
    key = customer.removeprefix("cus_")
    named = customer.startswith("cus_") and key.isdecimal() and len(key) < 10
    found = known.filter(pk=int(key)) if named else known.filter(username=customer)
    user_id = found.first()
    if user_id is None:
        raise CustomerNotFound("There is no account with this name.", param="customer")
    return int(user_id)
