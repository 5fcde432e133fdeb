"""What will happen later by itself: a refund that settles or fails, a dispute that is opened."""

import json

from sandbox.provider import World

DISPUTE = "dispute"


def make(world: World, *, payment: str, deed: str, content: str = "", after_seconds: float) -> None:
    """Ask for `deed` in the transaction that makes it certain; the provider's `keep_appointment` does it."""
    world.storage.run(
        "INSERT INTO appointments (due_at, payment, deed, content) VALUES (?, ?, ?, ?)",
        *(world.now() + after_seconds, payment, deed, content),
    )
    world.wake_deliveries.set()


def make_dispute(world: World, payment: str, *, amount: int, reason: str, after_seconds: float) -> None:
    content = json.dumps({"amount": amount, "reason": reason})
    make(world, payment=payment, deed=DISPUTE, content=content, after_seconds=after_seconds)


def next_due(world: World) -> float | None:
    row = world.storage.row("SELECT min(due_at) AS due_at FROM appointments")
    return float(row["due_at"]) if row is not None and row["due_at"] is not None else None
