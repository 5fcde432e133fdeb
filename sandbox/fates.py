"""What becomes of a payment by no fault of the wire: declines, refunds that take their time, disputes.

A fate is planned for a channel and reference (`plan`), or drawn by the mix. Kinds, by deed:

* `pay`: a decline code (`insufficient_funds`, …): who pays next is declined with it;
* `refund`: `pending_succeeds`, `pending_fails` (the answer says pending; it settles after `seconds`),
  `succeeds_fails` (it succeeds, and fails after `seconds`);
* `dispute`: a reason (`fraudulent`, …): the next captured money is disputed after `seconds`.
"""

from dataclasses import dataclass

from sandbox import appointments, chance
from sandbox.provider import Payment, Provider, World

REFUND_FATES = ("pending_succeeds", "pending_fails", "succeeds_fails")
DECLINES = (
    *("generic_decline", "insufficient_funds", "lost_card", "stolen_card", "expired_card"),
    *("card_velocity_exceeded", "processing_error"),
)
DEEDS = ("pay", "refund", "dispute")
_LATER_SECONDS = (30.0, 6 * 3600.0)
_REASONS = ("fraudulent", "product_not_received", "duplicate", "unrecognized")


@dataclass(frozen=True, slots=True)
class Fate:
    kind: str
    seconds: float


def plan(
    world: World,
    *,
    deed: str,
    fate: str,
    channel: str = "",
    reference: str = "",
    seconds: float = 60.0,
    times: int = 1,
) -> None:
    """Settle in advance what becomes of the next `deed`. Raises ValueError for what no provider can play."""
    known = {"pay": DECLINES, "refund": REFUND_FATES}.get(deed)
    if deed not in DEEDS or (known and fate not in known):
        raise ValueError(f"deed is one of {', '.join(DEEDS)}; fate is one of {', '.join(known or _REASONS)}")
    world.storage.run(
        "INSERT INTO fates (channel, reference, deed, fate, seconds, remaining) VALUES (?, ?, ?, ?, ?, ?)",
        *(channel, reference, deed, fate, seconds, times),
    )


def decline_of(world: World, payment: Payment) -> str:
    """The decline code that this attempt to pay meets, or ""."""
    fate = _planned(world, payment, "pay")
    if fate is None and (dice := chance.draw(world, "declines", payment.channel, payment.reference)):
        fate = Fate(dice.choice(DECLINES), 0.0)
    if fate is None:
        return ""
    chance.count(world, "decline")
    return fate.kind


def refund_fate(world: World, payment: Payment) -> Fate | None:
    """What becomes of a refund that is made now: one of REFUND_FATES, or None for success at once.

    The provider acts on it: it answers pending or succeeded and makes an appointment for the rest.
    """
    fate = _planned(world, payment, "refund")
    if fate is None and (
        dice := chance.draw(world, "late_refund_failures", payment.channel, payment.reference)
    ):
        comes_back = world.providers[payment.channel].refunds_can_come_back
        kinds = ("succeeds_fails", "pending_fails") if comes_back else ("pending_fails",)
        fate = Fate(dice.choice(kinds), dice.uniform(*_LATER_SECONDS))
    if fate is None and (dice := chance.draw(world, "late_refunds", payment.channel, payment.reference)):
        fate = Fate("pending_succeeds", dice.uniform(*_LATER_SECONDS))
    if fate is not None:
        chance.count(world, f"refund_{fate.kind}")
    return fate


def maybe_dispute(world: World, payment: Payment) -> None:
    """Money was captured: its owner may want it back, some time later."""
    if type(world.providers[payment.channel]).open_dispute is Provider.open_dispute:
        return
    fate = _planned(world, payment, "dispute")
    if fate is None and (dice := chance.draw(world, "disputes", payment.channel, payment.reference)):
        fate = Fate(dice.choice(_REASONS), dice.uniform(*_LATER_SECONDS))
    if fate is not None:
        chance.count(world, "dispute")
        appointments.make_dispute(world, payment.id, amount=0, reason=fate.kind, after_seconds=fate.seconds)


def _planned(world: World, payment: Payment, deed: str) -> Fate | None:
    row = world.storage.row(
        "UPDATE fates SET remaining = remaining - 1 WHERE id = (SELECT id FROM fates WHERE remaining > 0"
        " AND deed = ? AND channel IN ('', ?) AND reference IN ('', ?) ORDER BY id LIMIT 1)"
        " RETURNING fate, seconds",
        *(deed, payment.channel, payment.reference),
    )
    return Fate(row["fate"], row["seconds"]) if row else None
