"""The world's clock: it jumps forward, and what falls due on the way happens at once.

Back it goes only while nobody has paid or asked to: a month of the past begins so, and then lives day by day.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from sandbox import payments, payouts
from sandbox.appointments import DISPUTE
from sandbox.provider import ActionRefused, Payment, World

log = logging.getLogger("sandbox.clock")

_AHEAD = "clock.ahead"
_AT_ONCE = 200
_LONGEST_BACK_SECONDS = 400 * 86_400


def wind(world: World) -> None:
    """Set the clock as it was when the world stopped."""
    world.ahead = float(world.storage.recall(_AHEAD) or 0)


def shown(world: World) -> dict[str, Any]:
    return {"now": _written(world.now()), "real": _written(world.wall()), "ahead_seconds": world.ahead}


def move(world: World, *, advance: float | None = None, until: str | None = None) -> None:
    """Jump by `advance` seconds or to the moment `until`. Raises ValueError for a jump back from what happened.

    What expired or fell due has happened when this returns; notifications that are due leave right after.
    """
    if (advance is None) == (until is None):
        raise ValueError('say either {"advance": seconds} or {"set": "2030-01-31T12:00:00Z"}')
    seconds = _moment(until) - world.now() if until is not None else float(advance or 0)
    if not _earliest(world) <= seconds < 10**10:
        raise ValueError(
            "the clock only goes forward once a payment exists, and at most 400 days back before"
        )
    world.storage.keep(_AHEAD, repr(world.ahead + seconds))
    world.ahead += seconds
    payouts.begin(world)
    let_happen(world)
    world.wake_deliveries.set()


def let_happen(world: World) -> None:
    """Everything that the clock brings by itself, until nothing of it is due any more."""
    while payments.expire_due(world) or _keep_appointments(world):
        continue
    payouts.let_fall_due(world)
    for provider in world.providers.values():
        provider.tick(world)


def _keep_appointments(world: World) -> int:
    """Do what is due; how many there were. One that has become impossible is dropped."""
    due = world.storage.rows(
        "SELECT * FROM appointments WHERE due_at <= ? ORDER BY due_at, id LIMIT ?", world.now(), _AT_ONCE
    )
    for row in due:
        try:
            with world.storage.transaction():
                world.storage.run("DELETE FROM appointments WHERE id = ?", row["id"])
                _keep(world, payments.get_payment(world, row["payment"]), row["deed"], row["content"])
        except ActionRefused as refusal:
            log.warning("%s of %s is off: %s", row["deed"], row["payment"], refusal)
            world.storage.run("DELETE FROM appointments WHERE id = ?", row["id"])
    return len(due)


def _keep(world: World, payment: Payment, deed: str, content: str) -> None:
    if deed == DISPUTE:
        payments.dispute(world, payment.id, **json.loads(content))
    else:
        world.providers[payment.channel].keep_appointment(world, payment, deed, content)


def _earliest(world: World) -> float:
    """The longest jump back that still goes before everything that happened."""
    begun = world.storage.row("SELECT 1 FROM payments LIMIT 1")
    return 0.0 if begun else min(0.0, -_LONGEST_BACK_SECONDS - world.ahead)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _written(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")
