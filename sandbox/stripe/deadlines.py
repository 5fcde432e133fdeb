"""When something ends by itself at Stripe: an authorisation, a dispute's time for an answer, an account's day."""

from collections.abc import Mapping

from sandbox.provider import World

_AT_ONCE = 200


def set_deadline(world: World, item: str, at: float) -> None:
    world.storage.run("INSERT OR REPLACE INTO stripe_deadlines (item, at) VALUES (?, ?)", item, at)


def set_first(world: World, item: str, at: float) -> None:
    """Set the deadline unless the item has one."""
    world.storage.run("INSERT OR IGNORE INTO stripe_deadlines (item, at) VALUES (?, ?)", item, at)


def clear_deadline(world: World, item: str) -> None:
    world.storage.run("DELETE FROM stripe_deadlines WHERE item = ?", item)


def due(world: World) -> list[str]:
    """The items whose time has come."""
    rows = world.storage.rows(
        "SELECT item FROM stripe_deadlines WHERE at <= ? ORDER BY at LIMIT ?", world.now(), _AT_ONCE
    )
    return [str(row["item"]) for row in rows]


def counted(world: World, prefixes: Mapping[str, str]) -> dict[str, int]:
    """How many items of each prefix have a time to come."""
    rows = world.storage.rows(
        "SELECT substr(item, 1, 3) AS prefix, count(*) AS n FROM stripe_deadlines GROUP BY 1"
    )
    found = {one["prefix"]: int(one["n"]) for one in rows}
    return {name: found.get(prefix, 0) for name, prefix in prefixes.items()}
