"""The common table of payments: what the control API, the pages and the ground truth read."""

from contextlib import suppress

from sandbox import fates
from sandbox.provider import ActionRefused, Payment, World


class PaymentUnknown(Exception):
    """There is no such payment."""


def open_payment(
    world: World,
    *,
    payment: str,
    channel: str,
    merchant: str,
    reference: str,
    amount: int,
    currency: str,
    description: str = "",
    scan_url: str = "",
    actions: str = "pay decline expire",
    expires_at: float | None = None,
) -> Payment:
    """Record a payment that waits. `actions` are the buttons of its row, `scan_url` the person's page."""
    now = world.now()
    world.storage.run(
        "INSERT INTO payments (id, channel, merchant, reference, amount, currency, description, state,"
        " scan_url, actions, expires_at, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, ?)",
        *(payment, channel, merchant, reference, amount, currency, description),
        *(scan_url, actions, expires_at, now, now),
    )
    return get_payment(world, payment)


def get_payment(world: World, payment: str) -> Payment:
    row = world.storage.row("SELECT * FROM payments WHERE id = ?", payment)
    if row is None:
        raise PaymentUnknown(payment)
    return Payment(**dict(row))


def find_payments(
    world: World, *, reference: str = "", channel: str = "", state: str = "", limit: int = 500
) -> list[Payment]:
    """The newest payments first; an empty argument does not narrow."""
    asked = {"reference": reference, "channel": channel, "state": state}
    narrowed = {name: value for name, value in asked.items() if value}
    where = " AND ".join(f"{name} = ?" for name in narrowed) or "1"
    rows = world.storage.rows(
        f"SELECT * FROM payments WHERE {where} ORDER BY created_at DESC, id LIMIT ?",  # noqa: S608
        *(*narrowed.values(), limit),
    )
    return [Payment(**dict(row)) for row in rows]


def payment_for(world: World, *, channel: str, merchant: str, reference: str) -> Payment | None:
    """The merchant's newest payment under its own reference (out_trade_no)."""
    row = world.storage.row(
        "SELECT * FROM payments WHERE channel = ? AND merchant = ? AND reference = ?"
        " ORDER BY created_at DESC LIMIT 1",
        *(channel, merchant, reference),
    )
    return Payment(**dict(row)) if row else None


def set_state(world: World, payment: str, state: str, *, actions: str | None = None) -> None:
    world.storage.run(
        "UPDATE payments SET state = ?, actions = coalesce(?, actions), updated_at = ? WHERE id = ?",
        *(state, actions, world.now(), payment),
    )


def add_captured(world: World, payment: str, amount: int) -> None:
    """Money came in: the payment is paid. The ground truth counts it from now on."""
    world.storage.run(
        "UPDATE payments SET state = 'paid', captured = captured + ?, updated_at = ? WHERE id = ?",
        *(amount, world.now(), payment),
    )
    fates.maybe_dispute(world, get_payment(world, payment))


def add_refunded(world: World, payment: str, amount: int) -> None:
    """Money went back. The table refuses more than was captured (sqlite3.IntegrityError)."""
    _add(world, payment, "refunded", amount)


def take_refund_back(world: World, payment: str, amount: int) -> None:
    """A refund that had succeeded has failed: the money is the merchant's again."""
    _add(world, payment, "refunded", -amount)


def add_disputed(world: World, payment: str, amount: int, *, fee: int = 0) -> None:
    """A dispute took money from the merchant, and its fee."""
    _add(world, payment, "disputed", amount)
    _add(world, payment, "dispute_fees", fee)


def add_reinstated(world: World, payment: str, amount: int, *, fee: int = 0) -> None:
    """A dispute was won: the money came home, and so did `fee` where the provider returns it."""
    _add(world, payment, "reinstated", amount)
    _add(world, payment, "dispute_fees", -fee)


def _add(world: World, payment: str, column: str, amount: int) -> None:
    world.storage.run(
        f"UPDATE payments SET {column} = {column} + ?, updated_at = ? WHERE id = ?",  # noqa: S608
        *(amount, world.now(), payment),
    )


def act(world: World, payment: str, action: str) -> Payment:
    """Let a person do `action` through the payment's provider. Who means to pay may meet a refusal."""
    found = get_payment(world, payment)
    with world.storage.transaction():
        provider = world.providers[found.channel]
        paying = action == "pay" and found.state == "waiting" and not provider.plays_issuer
        if paying and fates.decline_of(world, found):
            action = "decline"
        provider.act(world, found, action)
    return get_payment(world, payment)


def dispute(world: World, payment: str, *, amount: int = 0, reason: str = "fraudulent") -> str:
    """Let the customer's bank take `amount` back, or all that is left; returns the dispute's id.

    Raises ActionRefused where nothing is left, or the provider knows no disputes.
    """
    found = get_payment(world, payment)
    left = found.captured - found.refunded - found.disputed + found.reinstated
    if left < 1 or amount > left:
        raise ActionRefused(f"only {left} are left to dispute")
    with world.storage.transaction():
        return world.providers[found.channel].open_dispute(world, found, amount=amount or left, reason=reason)


def expire_due(world: World) -> int:
    """Close the waiting payments whose time is over; how many there were."""
    due = world.storage.rows(
        "SELECT id FROM payments WHERE state = 'waiting' AND expires_at <= ? LIMIT 200", world.now()
    )
    for row in due:
        with suppress(ActionRefused):
            act(world, row["id"], "expire")
        # whatever came of it: its time is over once
        world.storage.run("UPDATE payments SET expires_at = NULL WHERE id = ?", row["id"])
    return len(due)
