"""What a bus promises: events in order per subject, kept for a while, the same event once within `DEDUPE_SECONDS`.

Beyond that time an event may be heard twice, as everywhere behind the outbox: consumers know it by its `id`. Pure.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Protocol

from payments.events import Told

# A relay that dies tells again after its lease, 30 s; a subscriber that fails is tried again within minutes at first.
DEDUPE_SECONDS = 600


class BusUnavailable(Exception):
    """Not every event was acknowledged: tell them again."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as it came off the bus; `mark` is what the consumer acknowledges."""

    id: str
    name: str
    subject: str
    body: dict[str, Any]
    mark: Any


class EventBus(Protocol):
    def publish(self, events: Sequence[Told]) -> None:
        """Returns when the bus has kept them all. Raises `BusUnavailable`."""

    def follow(self, *, consumer: str, from_start: bool, wait_seconds: float) -> Iterator[Heard | None]:
        """What comes, in order, each acknowledged once the next is asked for; None after each silent `wait_seconds`.

        A `consumer` goes on where it left off. `from_start` holds for a new one: else it hears what comes from now on.
        """

    def close(self) -> None:
        """Lets the connection go; the next publish makes a new one."""


def body_of(told: Told) -> dict[str, Any]:
    """The message of the bus: everything that the outbox knows."""
    return {
        "id": told.id,
        "type": told.name,
        "subject": told.subject,
        "sequence": told.sequence,
        "timestamp": told.happened_at.astimezone(UTC).isoformat(),
        "request_id": told.request_id,
        "data": told.payload,
    }


def encoded(told: Told) -> bytes:
    return json.dumps(body_of(told), separators=(",", ":")).encode()


def heard(body: bytes, mark: Any) -> Heard:
    read = json.loads(body)
    return Heard(id=read["id"], name=read["type"], subject=read["subject"], body=read, mark=mark)
