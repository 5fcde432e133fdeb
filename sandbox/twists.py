"""What goes wrong with notifications, to order or by the mix.

Of the notification itself, at its first `count` tries: `drop` (lost on the way), `truncate` (half the body),
`stale` (a time stamp and signature of an hour ago; where the protocol carries a time). Of its moment: `late`
(after `seconds`), `shuffle` (at any moment within `seconds`, so that several change places), `before_answer`
(it has arrived before the API answer that caused it leaves). As one more notification beside it: `duplicate`
(`count` of them), `contradict` (an older or opposite state, `seconds` after it), `forged` (one digit differs
from what was signed), `foreign` (signed and sealed for another merchant).
"""

import json
from contextvars import ContextVar
from dataclasses import replace
from random import Random

from sandbox import chance, merchants
from sandbox.provider import Delivery, SignedRequest, World

OF_TRIES = ("drop", "truncate", "stale")
OF_MOMENT = ("late", "shuffle", "before_answer")
BESIDE = ("duplicate", "contradict", "forged", "foreign")
KINDS = OF_TRIES + OF_MOMENT + BESIDE
# these must be refused: nobody tries again, and one that is taken is a finding
FALSE = ("forged", "foreign")
_STALE_SECONDS = -3600.0
_STRANGER = "a stranger"
_DEFAULTS = {"drop": 2, "truncate": 1, "stale": 1, "duplicate": 2}

# the deliveries that must have arrived before the answer of the request at hand
awaited: ContextVar[list[str] | None] = ContextVar("awaited", default=None)


def plan(
    world: World,
    *,
    kind: str,
    channel: str = "",
    merchant: str = "",
    reference: str = "",
    event: str = "",
    seconds: float = 1.0,
    count: int = 0,
    times: int = 1,
) -> None:
    """The next `times` notifications that match go wrong; `event` begins their kind. Raises ValueError."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}")
    world.storage.run(
        "INSERT INTO twists (channel, merchant, reference, event, kind, seconds, count, remaining)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *(channel, merchant, reference, event, kind, seconds, count or _DEFAULTS.get(kind, 1), times),
    )


def befall(world: World, delivery: Delivery) -> None:
    """Decide what goes wrong with a notification that was just stored, in the same transaction."""
    found = world.storage.row("SELECT reference FROM payments WHERE id = ?", delivery.payment)
    reference = str(found["reference"]) if found else ""
    planned = world.storage.row(
        "UPDATE twists SET remaining = remaining - 1 WHERE id = (SELECT id FROM twists WHERE remaining > 0"
        " AND channel IN ('', ?1) AND merchant IN ('', ?2) AND reference IN ('', ?3)"
        " AND substr(?4, 1, length(event)) = event ORDER BY id LIMIT 1) RETURNING kind, seconds, count",
        *(delivery.channel, delivery.merchant, reference, delivery.kind),
    )
    if planned is not None:
        twist(world, delivery, planned["kind"], seconds=planned["seconds"], count=planned["count"])
        return
    subject = f"{reference} {delivery.kind}"
    if dice := chance.draw(world, "notifications", delivery.channel, subject):
        kind = dice.choice(KINDS)
        seconds = float(chance.mix(world)["seconds"]) * dice.random()
        twist(world, delivery, kind, seconds=seconds, count=_DEFAULTS.get(kind, 1), dice=dice)


def twist(
    world: World, delivery: Delivery, kind: str, *, seconds: float, count: int, dice: Random | None = None
) -> None:
    """Let `kind` happen to the delivery, which has not left yet or leaves once more."""
    if kind in OF_TRIES:
        _mark(world, delivery, kind, tries=count)
    elif kind == "before_answer":
        waiting = awaited.get()
        if waiting is None:
            return
        waiting.append(delivery.id)
    elif kind in OF_MOMENT:
        dice = dice or Random(delivery.event_id)  # noqa: S311
        _mark(world, delivery, kind, after=seconds if kind == "late" else seconds * dice.random())
    else:
        beside = _beside(world, delivery, kind)
        if beside is None:
            return
        pauses = {"duplicate": seconds / max(count, 1), "contradict": seconds}
        for number in range(1, count + 1 if kind == "duplicate" else 2):
            _insert(world, beside, kind, after=number * pauses.get(kind, 0.0))
    chance.count(world, f"notification_{kind}")


def spoiled(world: World, delivery: Delivery, request: SignedRequest) -> SignedRequest:
    """What leaves instead of the signed request."""
    if delivery.twist == "forged":
        return replace(request, body=_other_digit(request.body))
    if delivery.twist == "truncate" and delivery.attempts < delivery.twisted_tries:
        return replace(request, body=request.body[: len(request.body) // 2])
    return request


def skew_of(delivery: Delivery) -> float:
    stale = delivery.twist == "stale" and delivery.attempts < delivery.twisted_tries
    return _STALE_SECONDS if stale else 0.0


def is_lost(delivery: Delivery) -> bool:
    return delivery.twist == "drop" and delivery.attempts < delivery.twisted_tries


def _mark(world: World, delivery: Delivery, kind: str, *, tries: int = 0, after: float = 0.0) -> None:
    world.storage.run(
        "UPDATE deliveries SET twist = ?, twisted_tries = attempts + ?, next_at = next_at + ? WHERE id = ?",
        *(kind, tries, after, delivery.id),
    )


def _beside(world: World, delivery: Delivery, kind: str) -> Delivery | None:
    """The other notification, or None where this provider has none of that kind."""
    if kind == "foreign":
        stranger = str(merchants.onboard(world, _STRANGER, {})["merchant"])
        return world.providers[delivery.channel].for_merchant(world, delivery, stranger)
    if kind == "contradict":
        return _contradiction(world, delivery)
    return delivery


def _contradiction(world: World, delivery: Delivery) -> Delivery | None:
    """What the provider says of an older state; else the newest notification before this one, once more."""
    made = world.providers[delivery.channel].contradiction(world, delivery)
    if made is not None:
        event, kind, content = made
        return replace(delivery, event_id=event, kind=kind, content=content)
    row = world.storage.row(
        "SELECT * FROM deliveries WHERE payment = ? AND channel = ? AND event_id <> ? AND twist NOT IN"
        " (SELECT value FROM json_each(?)) ORDER BY created_at DESC LIMIT 1",
        *(delivery.payment, delivery.channel, delivery.event_id, json.dumps(FALSE)),
    )
    return Delivery(**dict(row)) if row else None


def _insert(world: World, delivery: Delivery, kind: str, *, after: float) -> None:
    world.storage.run(
        "INSERT INTO deliveries (id, channel, merchant, payment, event_id, kind, url, content, state,"
        " next_at, created_at, twist) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)",
        *(world.new_id("dlv_"), delivery.channel, delivery.merchant, delivery.payment, delivery.event_id),
        *(delivery.kind, delivery.url, delivery.content, world.now() + after, world.now(), kind),
    )


def _other_digit(body: bytes) -> bytes:
    """The same body with its last digit changed; the signature still is that of the first."""
    place = max((at for at, byte in enumerate(body) if 48 <= byte <= 57), default=0)
    return body[:place] + bytes([48 + (body[place] - 47) % 10]) + body[place + 1 :]
