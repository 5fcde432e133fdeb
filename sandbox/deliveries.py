"""Notifications on their way to merchants: stored first, sent by one engine, retried by a schedule."""

import asyncio
import logging

from sandbox import chance, twists
from sandbox.clock import let_happen
from sandbox.post import Undelivered, post
from sandbox.provider import Delivery, World

log = logging.getLogger("sandbox.deliveries")


_AT_ONCE = 32
_TIMEOUT_SECONDS = 10.0
_LONGEST_PAUSE_SECONDS = 1.0


class DeliveryUnknown(Exception):
    """There is no such delivery."""


def ask_delivery(
    world: World,
    *,
    channel: str,
    merchant: str,
    payment: str,
    event_id: str,
    kind: str,
    url: str,
    content: str,
    delay_seconds: float = 0.0,
) -> str:
    """Store a notification to be sent, in the transaction that makes it true. Returns the delivery's id.

    `event_id` stays the same at every attempt; `content` is kept as it is for the provider's `sign`.
    Nothing is sent when `url` is empty.
    """
    delivery = world.new_id("dlv_")
    if url:
        now = world.now()
        world.storage.run(
            "INSERT INTO deliveries (id, channel, merchant, payment, event_id, kind, url, content, state,"
            " next_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)",
            *(delivery, channel, merchant, payment, event_id, kind, url, content, now + delay_seconds, now),
        )
        twists.befall(world, get_delivery(world, delivery))
        world.wake_deliveries.set()
    return delivery


def get_delivery(world: World, delivery: str) -> Delivery:
    row = world.storage.row("SELECT * FROM deliveries WHERE id = ?", delivery)
    if row is None:
        raise DeliveryUnknown(delivery)
    return Delivery(**dict(row))


def newest_deliveries(world: World, limit: int = 500, *, twist: str = "") -> list[Delivery]:
    rows = world.storage.rows(
        "SELECT * FROM deliveries WHERE ?1 IN ('', twist) ORDER BY created_at DESC, id LIMIT ?2",
        *(twist, limit),
    )
    return [Delivery(**dict(row)) for row in rows]


def give_up(world: World, *, merchant: str = "") -> int:
    """Send no more of what waits, to one merchant or to all; returns how many.

    What is on its way may still arrive; when it does not, it is not tried again.
    """
    with world.storage.transaction():
        waiting = world.storage.rows(
            "SELECT id FROM deliveries WHERE state = 'pending' AND ?1 IN ('', merchant)", merchant
        )
        world.storage.run(
            "UPDATE deliveries SET state = 'failed' WHERE state = 'pending' AND ?1 IN ('', merchant)",
            merchant,
        )
    return len(waiting)


def resend(world: World, delivery: str) -> Delivery:
    """Send it again now, whatever became of it; the retry schedule starts anew."""
    get_delivery(world, delivery)
    world.storage.run(
        "UPDATE deliveries SET state = 'pending', attempts = 0, twisted_tries = 0, next_at = ? WHERE id = ?",
        world.now(),
        delivery,
    )
    world.wake_deliveries.set()
    return get_delivery(world, delivery)


def resend_twisted(
    world: World, delivery: str, *, kind: str, seconds: float = 1.0, count: int = 1
) -> Delivery:
    """Send it again now, in the way `kind` says (`sandbox.twists`). Raises ValueError for an unknown kind."""
    if kind not in twists.KINDS:
        raise ValueError(f"kind must be one of {', '.join(twists.KINDS)}")
    with world.storage.transaction():
        found = get_delivery(world, delivery)
        if kind not in twists.BESIDE:
            found = resend(world, delivery)
        twists.twist(world, found, kind, seconds=seconds, count=count)
    world.wake_deliveries.set()
    return get_delivery(world, delivery)


async def tried(world: World, waiting: list[str], *, longest: float = 5.0) -> None:
    """Wait until each of these has left once, whatever came of it."""
    async with asyncio.timeout(longest):
        while any(not get_delivery(world, delivery).attempts for delivery in waiting):
            await asyncio.sleep(0.01)


class DeliveryEngine:
    """Sends what is due, at most `_AT_ONCE` together, in no promised order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._in_flight: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until cancelled. Also the core's heart beat: expires payments whose time is over."""
        while True:
            self._world.wake_deliveries.clear()
            try:
                let_happen(self._world)
                self._start_due()
            except Exception:
                log.exception("the delivery engine stumbled and goes on")
            try:
                await asyncio.wait_for(self._world.wake_deliveries.wait(), self._pause())
            except TimeoutError:
                continue

    def _start_due(self) -> None:
        free = _AT_ONCE - len(self._in_flight)
        due = self._world.storage.rows(
            "SELECT * FROM deliveries WHERE state = 'pending' AND next_at <= ? ORDER BY next_at LIMIT ?",
            *(self._world.now(), _AT_ONCE),
        )
        waiting = [Delivery(**dict(row)) for row in due if row["id"] not in self._in_flight]
        for delivery in waiting[:free]:
            self._in_flight[delivery.id] = asyncio.create_task(self._send(delivery))

    async def _send(self, delivery: Delivery) -> None:
        provider = self._world.providers[delivery.channel]
        try:
            if twists.is_lost(delivery):
                self._record(delivery, False, None, "lost on the way")
                return
            with self._world.skewed(twists.skew_of(delivery)):
                signed = provider.sign(self._world, delivery)
            request = twists.spoiled(self._world, delivery, signed)
            answer = await post(delivery.url, request.headers, request.body, seconds=_TIMEOUT_SECONDS)
            arrived = provider.acknowledged(answer.status, answer.body)
            trouble = "" if arrived else answer.body.decode("utf-8", "replace")[:500]
            self._record(delivery, arrived, answer.status, trouble)
        except Undelivered as error:
            self._record(delivery, False, None, str(error)[:500])
        except Exception as error:
            log.exception("delivery %s could not be sent", delivery.id)
            self._record(delivery, False, None, f"{type(error).__name__}: {error}"[:500])
        finally:
            del self._in_flight[delivery.id]
            self._world.wake_deliveries.set()

    def _record(self, delivery: Delivery, arrived: bool, status: int | None, error: str) -> None:
        schedule = self._world.providers[delivery.channel].retry_schedule
        if arrived:
            state, pause = "delivered", 0.0
            if delivery.twist in twists.FALSE:
                chance.count(self._world, f"notification_{delivery.twist}_accepted")
        elif delivery.twist not in twists.FALSE and delivery.attempts < len(schedule):
            state, pause = "pending", schedule[delivery.attempts]
        else:
            state, pause = "failed", 0.0
        self._world.storage.run(
            "UPDATE deliveries SET state = CASE WHEN ?1 = 'pending' THEN state ELSE ?1 END,"
            " attempts = attempts + 1, next_at = ?2, last_status = ?3, last_error = ?4 WHERE id = ?5",
            *(state, self._world.now() + pause, status, error, delivery.id),
        )

    def _pause(self) -> float:
        """Until what is due next: an appointment, or a notification (one under way says itself when it is done)."""
        row = self._world.storage.row(
            "SELECT min(due_at) AS due_at FROM (SELECT due_at FROM appointments"
            " UNION ALL SELECT next_at FROM deliveries WHERE state = 'pending' AND ?)",
            not self._in_flight,
        )
        if row is None or row["due_at"] is None:
            return _LONGEST_PAUSE_SECONDS
        return min(max(float(row["due_at"]) - self._world.now(), 0.01), _LONGEST_PAUSE_SECONDS)
