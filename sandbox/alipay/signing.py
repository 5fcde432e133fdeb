"""The text that Alipay's version 2 protocol signs, the keys it signs with, and the quirks of the real answers."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox import keys
from sandbox.alipay import certificates
from sandbox.provider import World

_KEY = "alipay.private_key"

SCHEMA = """
CREATE TABLE IF NOT EXISTS alipay_new_keys (
    merchant TEXT PRIMARY KEY REFERENCES merchants(id), private_key TEXT NOT NULL, share INTEGER NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Signature:
    """One key to sign with; `serial` is its certificate's number, which only certificate mode tells."""

    pem: str
    serial: str = ""


def private_pem(world: World) -> str:
    """The key that Alipay signs with for every application that has no newer one."""
    return world.storage.remember(_KEY, keys.new_private_pem)


def newest_pem(world: World, merchant: str) -> str:
    row = world.storage.row("SELECT private_key FROM alipay_new_keys WHERE merchant = ?", merchant)
    return str(row["private_key"]) if row else private_pem(world)


def switch_key(world: World, merchant: str, *, share: int) -> str:
    """From now on `share` percent of what this merchant gets is signed with a new key: its public half.

    Asked again, the new key stays and the share changes.
    """
    world.storage.run(
        "INSERT INTO alipay_new_keys (merchant, private_key, share) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (merchant) DO UPDATE SET share = ?3",
        *(merchant, keys.new_private_pem(), share),
    )
    return keys.public_pem(newest_pem(world, merchant))


def signature_for(world: World, merchant: str, *, certified: bool = False) -> Signature:
    row = world.storage.row("SELECT * FROM alipay_new_keys WHERE merchant = ?", merchant)
    new = row is not None and secrets.randbelow(100) < row["share"]
    pem = str(row["private_key"]) if row is not None and new else private_pem(world)
    return Signature(pem, certificates.serial(certificates.of_alipay(world, pem)) if certified else "")


def request_text(fields: Mapping[str, str]) -> bytes:
    return _text({name: value for name, value in fields.items() if name != "sign"})


def notice_text(fields: Mapping[str, str]) -> bytes:
    """Trade notifications leave `sign_type` out as well."""
    return _text({name: value for name, value in fields.items() if name not in ("sign", "sign_type")})


def answer_body(method: str, fields: Mapping[str, Any], signature: Signature | None) -> bytes:
    """`{"<method>_response":{…},"sign":"…"}`, with slashes escaped as Alipay does; unsigned without `signature`."""
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")
    name = method.replace(".", "_") + "_response"
    if signature is None:
        return f'{{"{name}":{text}}}'.encode()
    sign = keys.sign(signature.pem, text.encode("utf-8"))
    serial = f',"alipay_cert_sn":"{signature.serial}"' if signature.serial else ""
    return f'{{"{name}":{text}{serial},"sign":"{sign}"}}'.encode()


def _text(fields: Mapping[str, str]) -> bytes:
    return "&".join(f"{name}={value}" for name, value in sorted(fields.items()) if value).encode("utf-8")
