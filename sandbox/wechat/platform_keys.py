"""The keys that WeChat Pay signs with: a bare public key, or certificates, or both while a merchant is switched.

Every merchant starts in public key mode. `POST /control/wechat/{mchid}/signing` with `{"certificates": n}` gives it n
platform certificates as well, the last one the newest: `share` percent of all signatures are then made with the newest
key and the rest with the one before it.
"""

import secrets
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox import keys
from sandbox.provider import World

_PRIVATE, _ID = "wechat.private_key", "wechat.public_key_id"
_FROM, _TO = datetime(2025, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)

SCHEMA = """
CREATE TABLE IF NOT EXISTS wechat_signing (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), certificates INTEGER NOT NULL DEFAULT 0,
    share INTEGER NOT NULL DEFAULT 100, bad_answers INTEGER NOT NULL DEFAULT 0, bad_notices INTEGER NOT NULL DEFAULT 0
);
"""


@dataclass(frozen=True, slots=True)
class PlatformKey:
    serial: str
    pem: str
    certificate: str = ""


def private_pem(world: World) -> str:
    return world.storage.remember(_PRIVATE, keys.new_private_pem)


def key_id(world: World) -> str:
    return world.storage.remember(_ID, lambda: f"PUB_KEY_ID_01{secrets.randbelow(10**30):030d}")


def arrange(world: World, merchant: str, **asked: int) -> None:
    """Change how the merchant's messages are signed; names are the columns of the table."""
    world.storage.run("INSERT OR IGNORE INTO wechat_signing (merchant) VALUES (?)", merchant)
    world.storage.run(
        "UPDATE wechat_signing SET certificates = coalesce(?, certificates), share = coalesce(?, share),"
        " bad_answers = coalesce(?, bad_answers), bad_notices = coalesce(?, bad_notices) WHERE merchant = ?",
        *(asked.get(name) for name in ("certificates", "share", "bad_answers", "bad_notices")),
        merchant,
    )


def held_keys(world: World, merchant: str) -> list[PlatformKey]:
    """Every key of the merchant's platform, the newest last."""
    row = world.storage.row("SELECT certificates FROM wechat_signing WHERE merchant = ?", merchant)
    count = int(row["certificates"]) if row else 0
    bare = PlatformKey(key_id(world), private_pem(world))
    return [bare, *(_certified(world, number) for number in range(1, count + 1))]


def signing_key(world: World, merchant: str) -> PlatformKey:
    *older, newest = held_keys(world, merchant)
    row = world.storage.row("SELECT share FROM wechat_signing WHERE merchant = ?", merchant)
    if not older or row is None or secrets.randbelow(100) < row["share"]:
        return newest
    return older[-1]


def take_probe(world: World, merchant: str, what: str) -> bool:
    """Whether the next signature is to be a wrong one; counts it."""
    column = {"answers": "bad_answers", "notices": "bad_notices"}[what]
    return bool(
        world.storage.run(
            f"UPDATE wechat_signing SET {column} = {column} - 1 WHERE merchant = ? AND {column} > 0",  # noqa: S608
            merchant,
        )
    )


def opened(world: World, merchant: str, serial: str, sealed: object) -> str:
    """A secret field that the merchant encrypted for the key called `serial`. Raises ValueError."""
    for key in held_keys(world, merchant):
        if key.serial == serial:
            padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303 - WeChat's own choice
            plain = keys.private_key(key.pem).decrypt(b64decode(str(sealed), validate=True), padding)
            return plain.decode("utf-8")
    raise ValueError("no such key")


def _certified(world: World, number: int) -> PlatformKey:
    pem = world.storage.remember(f"wechat.certificate_key.{number}", keys.new_private_pem)
    certificate = _certificate(pem)
    serial = x509.load_pem_x509_certificate(certificate.encode("ascii")).serial_number
    return PlatformKey(f"{serial:040X}", pem, certificate)


@cache
def _certificate(pem: str) -> str:
    """Always the same for the same key: its number is the key's."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, "WeChat Pay platform"),
        ]
    )
    # A first digit that is not zero: a serial is written without leading zeroes by some clients.
    number = int.from_bytes(b"\x7f" + sha256(pem.encode("ascii")).digest()[:19], "big")
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(keys.private_key(pem).public_key())
        .serial_number(number)
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .sign(keys.private_key(pem), SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode("ascii")
