from django.db import connection
from django.utils import timezone

from risk.models import Policy, PolicySwitch, RollOut


def switch_policy(
    *,
    chosen: Policy,
    active: Policy | None,
    actor: str,
    reason: str,
    returned: bool = False,
    waived: str = "",
) -> None:
    """This will have `chosen` decide instead of `active` and note the way back; a roll-out ends with it.

    Operation: needs an open transaction with both policies locked; locks the roll-out.
    """
    assert connection.in_atomic_block, "switch_policy() belongs to the transaction that locked the policies"
    for roll_out in RollOut.objects.running().locked():
        roll_out.finish(actor=actor, reason=f"{chosen} was switched on.", at=timezone.now())
        roll_out.store()
    if active is not None:
        active.retire()
        active.store()
    chosen.activate(actor="" if returned else actor)
    chosen.store()
    PolicySwitch.objects.create(
        policy=chosen,
        replaced=active,
        returned=returned,
        actor=actor,
        reason=reason.strip()[:500],
        waived=waived,
    )
