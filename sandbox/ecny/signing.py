"""The generic profile's signature, and the gateway's two keys: it is in the middle of a change and uses both."""

from collections.abc import Mapping
from typing import Any

from sandbox import keys
from sandbox.provider import World

KEY_IDS = ("ecny-1", "ecny-2")


def text(fields: Mapping[str, Any]) -> bytes:
    pairs = [
        f"{name}={fields[name]}"
        for name in sorted(fields)
        if name != "sign" and fields[name] not in ("", None)
    ]
    return "&".join(pairs).encode("utf-8")


def private_pem(world: World, key_id: str) -> str:
    return world.storage.remember(f"ecny.{key_id}", keys.new_private_pem)


def signed(world: World, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields with the time of now, signed by the key whose turn it is."""
    turn = int(world.storage.remember("ecny.turn", lambda: "0"))
    world.storage.run("UPDATE memory SET value = ? WHERE name = 'ecny.turn'", str(1 - turn))
    told = {name: value for name, value in fields.items() if value not in ("", None)}
    told |= {"timestamp": int(world.wall()), "sign_type": "RSA2", "key_id": KEY_IDS[turn]}
    return {**told, "sign": keys.sign(private_pem(world, KEY_IDS[turn]), text(told))}
