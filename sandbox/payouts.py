"""What a channel owes its merchants goes to their bank: once a day, all that the days before have brought.

A provider says how with `Provider.pays_out`; one that keeps its own payouts calls `record`. The bank books what has
arrived (`sandbox.bank.deposits`). A balance that is owed is carried on until payments cover it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.provider import PayoutTerms, World

_SEEN = "payouts.seen"
_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Payout:
    """`day` is the last day that it pays, `text` what the bank shows; minor units, more than nothing."""

    id: str
    channel: str
    merchant: str
    currency: str
    amount: int
    day: str
    payer: str
    text: str
    made_at: float
    arrives_at: float


def record(world: World, payout: Payout) -> None:
    """The money is on its way to the bank."""
    world.storage.run(
        "INSERT INTO payouts (id, channel, merchant, currency, amount, day, payer, text, made_at, arrives_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        *(payout.id, payout.channel, payout.merchant, payout.currency, payout.amount),
        *(payout.day, payout.payer, payout.text, payout.made_at, payout.arrives_at),
    )


def begin(world: World) -> None:
    """Nothing has happened before now: the clock was turned back."""
    if float(world.storage.recall(_SEEN) or 0) > world.now():
        world.storage.keep(_SEEN, repr(world.now()))


def let_fall_due(world: World) -> None:
    """Make the payouts whose hour has come, each with its own date however far the clock has jumped."""
    now, seen = world.now(), world.storage.recall(_SEEN)
    if seen is None:
        world.storage.keep(_SEEN, repr(now))
        return
    due = [
        provider
        for provider in world.providers.values()
        if provider.pays_out and provider.pays_out.last_hour(now) > float(seen)
    ]
    if due:
        with world.storage.transaction():
            for provider in due:
                assert provider.pays_out is not None
                _pay_out(world, provider.channel, provider.pays_out, float(seen), now)
            world.storage.keep(_SEEN, repr(now))


def _pay_out(world: World, channel: str, terms: PayoutTerms, seen: float, now: float) -> None:
    for (merchant, currency), days in _nets(world, channel, terms).items():
        paid = world.storage.row(
            "SELECT coalesce(sum(amount), 0) AS paid FROM payouts WHERE channel = ? AND merchant = ? AND currency = ?",
            *(channel, merchant, currency),
        )
        left = -int(paid["paid"]) if paid else 0
        for number, net in days:
            left += net
            made_at = terms.hour_of(number)
            if left > 0 and seen < made_at <= now:
                record(world, _made(world, channel, terms, merchant, currency, number, left))
                left = 0


def _nets(world: World, channel: str, terms: PayoutTerms) -> Mapping[tuple[str, str], list[tuple[int, int]]]:
    """By merchant and currency: the days on which money moved, and what each brought after fees."""
    rows = world.storage.rows(
        "SELECT merchant, currency, CAST((moved_at + ?) / 86400 AS INTEGER) AS day, sum(amount - fee) AS net"  # noqa: S608
        f" FROM ({world.providers[channel].movements}) GROUP BY 1, 2, 3 ORDER BY 3",
        terms.day_shift,
    )
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault((row["merchant"], row["currency"]), []).append((row["day"], row["net"]))
    return found


def _made(
    world: World, channel: str, terms: PayoutTerms, merchant: str, currency: str, number: int, amount: int
) -> Payout:
    day, made_at = date(1970, 1, 1) + timedelta(days=number), terms.hour_of(number)
    key = terms.key(world, merchant, day)
    return Payout(
        id=key,
        channel=channel,
        merchant=merchant,
        currency=currency,
        amount=amount,
        day=day.isoformat(),
        payer=terms.payer,
        text=terms.text(world, merchant, day, key),
        made_at=made_at,
        arrives_at=made_at + terms.arrives_after,
    )


def between(world: World, channel: str, merchant: str, start: float, end: float) -> Iterator[Payout]:
    """The merchant's payouts of a channel that left in this time."""
    rows = world.storage.rows(
        "SELECT id, channel, merchant, currency, amount, day, payer, text, made_at, arrives_at FROM payouts"
        " WHERE channel = ? AND merchant = ? AND made_at >= ? AND made_at < ? ORDER BY made_at, id",
        *(channel, merchant, start, end),
    )
    return (Payout(**dict(row)) for row in rows)
