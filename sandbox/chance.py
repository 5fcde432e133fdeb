"""A random mix of misfortunes that can be repeated: the same seed and the same traffic, the same decisions.

A decision is drawn from the seed, the thing it is about (channel, reference or path, what is done) and how
often that happened before. Timing and the order between different payments change nothing.
"""

import hashlib
import json
from random import Random
from typing import Any

from sandbox.provider import World

_MIX = "mix"
RATES = ("requests", "notifications", "declines", "late_refunds", "late_refund_failures", "disputes")
_CHOICES = {"seed": 0, "seconds": 2.0, "hang_seconds": 30.0, "off": True, "channels": []}


def mix(world: World) -> dict[str, Any]:
    """The mix as it is set. `off` lets things settle; what was drawn before still happens."""
    return {**_CHOICES, **dict.fromkeys(RATES, 0.0), **json.loads(world.storage.recall(_MIX) or "{}")}


def set_mix(world: World, asked: dict[str, Any]) -> None:
    """Change what is named. Another seed begins anew: occurrences and counts too. Raises ValueError."""
    before = mix(world)
    after = {**before, "off": False, **asked}
    if unknown := after.keys() - before.keys():
        raise ValueError(f"a mix has no {', '.join(sorted(unknown))}")
    for name in RATES:
        if not 0 <= float(after[name]) <= 1:
            raise ValueError(f"{name} is a share between 0 and 1")
    with world.storage.transaction():
        if after["seed"] != before["seed"]:
            world.storage.run("DELETE FROM occurrences")
            world.storage.run("DELETE FROM mishaps")
        world.storage.keep(_MIX, json.dumps(after))


def counted(world: World) -> dict[str, int]:
    rows = world.storage.rows("SELECT kind, happened FROM mishaps ORDER BY kind")
    return {row["kind"]: row["happened"] for row in rows}


def count(world: World, kind: str) -> None:
    """One more misfortune of this kind has happened."""
    world.storage.run(
        "INSERT INTO mishaps (kind, happened) VALUES (?, 1)"
        " ON CONFLICT (kind) DO UPDATE SET happened = happened + 1",
        kind,
    )


def draw(world: World, rate: str, channel: str, subject: str) -> Random | None:
    """The dice of this occurrence when the mix wants a misfortune of `rate` now; None when all goes well."""
    asked = mix(world)
    if asked["off"] or not asked[rate] or (asked["channels"] and channel not in asked["channels"]):
        return None
    key = f"{rate} {channel} {subject}"
    row = world.storage.row(
        "INSERT INTO occurrences (subject, seen) VALUES (?, 1)"
        " ON CONFLICT (subject) DO UPDATE SET seen = seen + 1 RETURNING seen",
        key,
    )
    assert row is not None
    digest = hashlib.blake2b(f"{asked['seed']} {key} {row['seen']}".encode(), digest_size=16).digest()
    dice = Random(int.from_bytes(digest, "big"))  # noqa: S311
    return dice if dice.random() < asked[rate] else None
