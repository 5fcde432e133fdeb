"""The text that UnionPay's version 5.1.0 signs, and answers as the gateway writes them."""

from collections.abc import Mapping
from hashlib import sha256

from sandbox import keys
from sandbox.provider import World
from sandbox.unionpay import authority


def text(fields: Mapping[str, str]) -> bytes:
    """RSA signs the hexadecimal digest of the sorted fields, in lower case."""
    pairs = [f"{name}={fields[name]}" for name in sorted(fields) if fields[name] and name != "signature"]
    return sha256("&".join(pairs).encode("utf-8")).hexdigest().encode("ascii")


def signed(world: World, fields: Mapping[str, str]) -> dict[str, str]:
    """The fields with UnionPay's certificate and signature."""
    name = authority.signer(world)
    told = {
        **{name: value for name, value in fields.items() if value},
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "signPubKeyCert": authority.certificate(world, name),
    }
    return {**told, "signature": keys.sign(authority.private_pem(world, name), text(told))}


def answer_body(world: World, fields: Mapping[str, str]) -> bytes:
    """Joined, and not URL-encoded: so the gateway answers."""
    return "&".join(f"{name}={value}" for name, value in signed(world, fields).items()).encode("utf-8")
