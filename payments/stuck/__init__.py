"""What payments knows to be stuck; `settings.STUCK_SOURCES` names `kinds`."""

from collections.abc import Iterator

from ledger.stuck import StuckKind
from payments.stuck import disputed, messages, moving, refunds


def kinds() -> Iterator[StuckKind]:
    """Each with the one thing that a person can do about it."""
    yield from moving.KINDS
    yield from refunds.KINDS
    yield from disputed.KINDS
    yield from messages.KINDS
