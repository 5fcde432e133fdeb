"""What really happened to the money, and what has not ended yet."""

import json
from collections.abc import AsyncIterator
from typing import Any

from sandbox.provider import World

_FIELDS = (
    "id AS payment, merchant, channel, reference, currency,"
    " captured, refunded, disputed, reinstated, dispute_fees"
)
_PAGE = 1000
_LARGEST_PAGE = 10_000
_OPEN = {
    "payments_waiting": "SELECT channel, count(*) AS n FROM payments WHERE state = 'waiting' GROUP BY channel",
    "payments_authorized": (
        "SELECT channel, count(*) AS n FROM payments WHERE state = 'authorized' GROUP BY channel"
    ),
    "notifications": "SELECT channel, count(*) AS n FROM deliveries WHERE state = 'pending' GROUP BY channel",
    "appointments": (
        "SELECT channel, count(*) AS n FROM appointments a JOIN payments p ON p.id = a.payment GROUP BY channel"
    ),
}
# what may stand for days and waits for the merchant, not for the world
_NOT_OF_THE_WORLD = ("payments_authorized", "disputes")


def page(
    world: World, *, merchant: str = "", channel: str = "", after: str = "", limit: int = _PAGE
) -> dict[str, Any]:
    """Money per payment, in the order of the references; `next` asks for what follows, "" when nothing does."""
    if not 1 <= limit <= _LARGEST_PAGE:
        raise ValueError(f"limit is between 1 and {_LARGEST_PAGE}")
    reference, _, payment = after.partition("|")
    rows = world.storage.rows(
        f"SELECT {_FIELDS} FROM payments WHERE captured > 0 AND (reference, id) > (?1, ?2)"  # noqa: S608
        " AND ?3 IN ('', merchant) AND ?4 IN ('', channel) ORDER BY reference, id LIMIT ?5",
        *(reference, payment, merchant, channel, limit),
    )
    last = rows[-1] if len(rows) == limit else None
    return {
        "movements": [dict(row) for row in rows],
        "next": f"{last['reference']}|{last['payment']}" if last else "",
    }


async def streamed(world: World, *, merchant: str = "", channel: str = "") -> AsyncIterator[str]:
    """All pages as one document, with one page in memory."""
    joint, after = '{"movements":[', ""
    while True:
        found = page(world, merchant=merchant, channel=channel, after=after)
        if found["movements"]:
            yield joint + ",".join(map(json.dumps, found["movements"]))
            joint = ","
        after = found["next"]
        if not after:
            break
    yield "]}" if joint == "," else joint + "]}"


def open_items(world: World) -> dict[str, Any]:
    """Counts per channel of what is not finished; `settled` when the world will do nothing more by itself."""
    channels: dict[str, dict[str, int]] = {name: {} for name in sorted(world.providers)}
    for item, query in _OPEN.items():
        for row in world.storage.rows(query):
            channels[row["channel"]][item] = row["n"]
    for name, provider in world.providers.items():
        channels[name] |= {item: count for item, count in provider.open_items(world).items() if count}
    busy = any(item not in _NOT_OF_THE_WORLD for counts in channels.values() for item in counts)
    return {"settled": not busy, "channels": channels}
