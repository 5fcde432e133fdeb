"""Merchants: one name, one account at every provider."""

from collections.abc import Mapping
from typing import Any

from sandbox import phones
from sandbox.provider import World


def onboard(world: World, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Create the merchant, or find it by name: credentials stay, addresses and given keys are updated."""
    with world.storage.transaction():
        row = world.storage.row("SELECT id FROM merchants WHERE name = ?", name)
        merchant = str(row["id"]) if row else world.new_id("mer_")
        if row is None:
            world.storage.run(
                "INSERT INTO merchants (id, name, created_at) VALUES (?, ?, ?)", merchant, name, world.now()
            )
        answer: dict[str, Any] = {"merchant": merchant}
        for channel, provider in world.providers.items():
            answer[channel] = provider.onboard(world, merchant, asked)
        answer["sms"] = phones.onboard(world, merchant)
        return answer
