"""Payouts of the channels as they arrive on their merchants' accounts."""

from sandbox.bank import ledger
from sandbox.payouts import Payout
from sandbox.provider import World

_AT_ONCE = 200


def book_arrived(world: World) -> int:
    """Credit what has arrived, each at its own time; how many there were."""
    due = world.storage.rows(
        "SELECT * FROM payouts WHERE booked = 0 AND arrives_at <= ? ORDER BY arrives_at, id LIMIT ?",
        *(world.now(), _AT_ONCE),
    )
    for row in due:
        columns = dict(row)
        columns.pop("booked")
        with world.storage.transaction():
            _book(world, Payout(**columns))
    return len(due)


def _book(world: World, payout: Payout) -> None:
    ledger.book(
        world,
        merchant=payout.merchant,
        amount=payout.amount,
        currency=payout.currency,
        text=payout.text,
        end_to_end_id=payout.id,
        payout=payout.id,
        debtor=payout.payer,
        booked_at=payout.arrives_at,
    )
    world.storage.run("UPDATE payouts SET booked = 1 WHERE id = ?", payout.id)
