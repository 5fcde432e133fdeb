"""WeChat Pay v3: checks the merchant's Authorization, signs answers and notifications, seals resources."""

import json
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox import keys
from sandbox.provider import World
from sandbox.wechat import platform_keys

SCHEME = "WECHATPAY2-SHA256-RSA2048"
_FRESH_SECONDS = 300
_PARTS = ("mchid", "nonce_str", "signature", "timestamp", "serial_no")

SCHEMA = """
CREATE TABLE IF NOT EXISTS wechat_nonces (
    mchid TEXT NOT NULL, nonce TEXT NOT NULL, seen_at REAL NOT NULL, PRIMARY KEY (mchid, nonce)
);
"""


class SignError(Exception):
    """The Authorization header does not prove who sent the request."""


def authorization_parts(header: str) -> dict[str, str]:
    """The five parts of the header. Raises SignError when one is missing, doubled or of another scheme."""
    scheme, _, rest = header.partition(" ")
    parts = re.findall(r'([a-z_]+)="([^"]*)"', rest)
    if scheme != SCHEME or sorted(name for name, _ in parts) != sorted(_PARTS):
        raise SignError("Authorization 格式错误")
    return dict(parts)


def check_request(
    world: World, parts: Mapping[str, str], public_key: str, *, method: str, target: str, body: bytes
) -> None:
    """Freshness, signature and a nonce that was never seen. Raises SignError."""
    timestamp, nonce = parts["timestamp"], parts["nonce_str"]
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise SignError("timestamp 无效")
    if abs(world.wall() - int(timestamp)) > _FRESH_SECONDS:
        raise SignError("Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
    text = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
    if not keys.verifies(keys.public_key(public_key), text, parts["signature"]):
        raise SignError("错误的签名，验签失败")
    world.storage.run("DELETE FROM wechat_nonces WHERE seen_at < ?", world.wall() - 2 * _FRESH_SECONDS)
    seen = world.storage.run(
        "INSERT OR IGNORE INTO wechat_nonces (mchid, nonce, seen_at) VALUES (?, ?, ?)",
        *(parts["mchid"], nonce, world.wall()),
    )
    if not seen:
        raise SignError("nonce_str 已被使用")


def signature_headers(world: World, body: bytes, *, merchant: str, what: str = "answers") -> dict[str, str]:
    """The headers by which a merchant knows that WeChat Pay wrote `body`; `what` is "answers" or "notices".

    Now and then WeChat signs wrongly on purpose, to see whether the merchant looks.
    """
    timestamp, nonce = str(int(world.wall())), secrets.token_hex(16)
    text = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
    key = platform_keys.signing_key(world, merchant)
    signature = keys.sign(key.pem, text)
    if platform_keys.take_probe(world, merchant, what):
        signature = f"WECHATPAY/SIGNTEST/{signature[:200]}"
    return {
        "Wechatpay-Timestamp": timestamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": signature,
        "Wechatpay-Serial": key.serial,
        "Wechatpay-Signature-Type": SCHEME,
        "Request-ID": secrets.token_hex(16),
    }


def sealed(plain: Mapping[str, Any], api_v3_key: str, kind: str) -> dict[str, str]:
    """A notification's resource, AEAD_AES_256_GCM under the merchant's APIv3 key."""
    return {"original_type": kind, **sealed_text(json.dumps(plain, ensure_ascii=False), api_v3_key, kind)}


def sealed_text(plain: str, api_v3_key: str, associated: str) -> dict[str, str]:
    nonce = secrets.token_hex(6)
    key = AESGCM(api_v3_key.encode("ascii"))
    sealed_bytes = key.encrypt(nonce.encode(), plain.encode("utf-8"), associated.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": b64encode(sealed_bytes).decode("ascii"),
        "associated_data": associated,
        "nonce": nonce,
    }
