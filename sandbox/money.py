"""The true money behind every statement: movements with their fees, payouts, the bank's lines, and sums by day.

Nothing that was planted in a statement is in here. A day is the channel's own.
"""

from typing import Any

from sandbox.provider import World

_PAGE = 1000
_LARGEST_PAGE = 10_000
_PAYOUTS = (
    "SELECT id, channel, merchant, currency, amount, day, text, made_at, arrives_at, booked FROM payouts"
    " WHERE ?1 IN ('', merchant) AND ?2 IN ('', channel) ORDER BY made_at, id"
)
_BANK = (
    "SELECT number, name, merchant, payment, payout, currency, amount, text, end_to_end_id, booked_at,"
    " date(booked_at, 'unixepoch') AS day FROM bank_entries WHERE ?1 IN ('', merchant) AND ?2 IN ('', 'bank')"
    " ORDER BY number"
)
_DAYS = """
    SELECT channel, merchant, currency, day,
           sum(amount) FILTER (WHERE kind = 'payment') AS captured,
           -sum(amount) FILTER (WHERE kind = 'refund') AS refunded,
           sum(amount) FILTER (WHERE kind = 'refund_returned') AS refunds_returned,
           -sum(amount) FILTER (WHERE kind = 'dispute') AS disputed,
           sum(amount) FILTER (WHERE kind = 'dispute_won') AS reinstated,
           sum(fee) FILTER (WHERE fee > 0 AND kind <> 'dispute') AS fees,
           -sum(fee) FILTER (WHERE fee < 0) AS fees_returned,
           sum(fee) FILTER (WHERE kind = 'dispute') AS dispute_fees,
           -sum(amount) FILTER (WHERE kind = 'payout') AS paid_out,
           count(*) FILTER (WHERE kind <> 'payout') AS movements
    FROM ({moved} UNION ALL {payouts}) GROUP BY 1, 2, 3, 4 ORDER BY 4, 1, 2, 3
"""
_PAYOUTS_AS_MOVEMENTS = """
    SELECT channel, merchant, currency, 'payout', id, '', id, -amount, 0, made_at, {day}
    FROM payouts WHERE ?1 IN ('', merchant) AND ?2 IN ('', channel)
"""


def movements(world: World, **asked: Any) -> dict[str, Any]:
    """Payments, refunds and disputes: `amount` as the merchant sees it, `fee` what the channel keeps of it."""
    found = _page(world, f"{_moved(world)} ORDER BY moved_at, channel, number, kind", **asked)
    return {"movements": found[0], "next": found[1]}


def payouts(world: World, **asked: Any) -> dict[str, Any]:
    found = _page(world, _PAYOUTS, **asked)
    return {"payouts": found[0], "next": found[1]}


def bank(world: World, **asked: Any) -> dict[str, Any]:
    """Every line of the accounts: their sum is the balance."""
    found = _page(world, _BANK, **asked)
    return {"lines": found[0], "next": found[1]}


def days(world: World, **asked: Any) -> dict[str, Any]:
    """Sums by day, channel, merchant and currency."""
    cases = " ".join(f"WHEN '{name}' THEN {shift}" for name, shift in _shifts(world).items())
    day = f"date(made_at + CASE channel {cases} END, 'unixepoch')"
    query = _DAYS.format(moved=_moved(world), payouts=_PAYOUTS_AS_MOVEMENTS.format(day=day))
    rows, following = _page(world, query, **asked)
    return {
        "days": [{name: value or 0 for name, value in row.items()} for row in rows],
        "next": following,
    }


def _moved(world: World) -> str:
    shifts = _shifts(world)
    return " UNION ALL ".join(
        f"SELECT '{name}' AS channel, merchant, currency, kind, reference, parent, number, amount, fee, moved_at,"  # noqa: S608
        f" date(moved_at + {shifts[name]}, 'unixepoch') AS day FROM ({provider.movements})"
        f" WHERE ?1 IN ('', merchant) AND ?2 IN ('', '{name}')"
        for name, provider in world.providers.items()
        if provider.movements
    )


def _shifts(world: World) -> dict[str, float]:
    return {
        name: provider.pays_out.day_shift if provider.pays_out else 0.0
        for name, provider in world.providers.items()
    }


def _page(
    world: World,
    query: str,
    *,
    merchant: str = "",
    channel: str = "",
    after: str = "",
    limit: str = str(_PAGE),
) -> tuple[list[dict[str, Any]], str]:
    """Rows and the `after` of the next page, "" when there is none. Raises ValueError."""
    start, most = int(after or 0), int(limit)
    if not 1 <= most <= _LARGEST_PAGE or start < 0:
        raise ValueError(f"limit is between 1 and {_LARGEST_PAGE}")
    rows = world.storage.rows(f"{query} LIMIT ?3 OFFSET ?4", merchant, channel, most + 1, start)
    return [dict(row) for row in rows[:most]], str(start + most) if len(rows) > most else ""
