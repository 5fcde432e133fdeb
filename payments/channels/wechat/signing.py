"""WeChat Pay v3 signatures: ours on requests, theirs on answers and notifications, and the sealed resource."""

import secrets
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA1

from payments.channels import rsa
from payments.channels.contract import InvalidSignature, MalformedNotice, StaleNotice

SCHEME: Final = "WECHATPAY2-SHA256-RSA2048"
FRESH_SECONDS: Final = 300


def request_text(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What we sign. `target` is path and query as they go over the wire."""
    return f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What WeChat signs, over the raw bytes of the body."""
    return f"{timestamp}\n{nonce}\n".encode("utf-8", "backslashreplace") + body + b"\n"


class Signer:
    """Writes the Authorization header of one merchant."""

    def __init__(
        self, mchid: str, serial: str, private_key: RSAPrivateKey, clock: Callable[[], datetime]
    ) -> None:
        self._mchid = mchid
        self._serial = serial
        self._private_key = private_key
        self._clock = clock

    def authorization(self, method: str, target: str, body: bytes) -> str:
        timestamp, nonce = str(int(self._clock().timestamp())), secrets.token_hex(16).upper()
        signature = rsa.sign(self._private_key, request_text(method, target, timestamp, nonce, body))
        return (
            f'{SCHEME} mchid="{self._mchid}",nonce_str="{nonce}",signature="{signature}",'
            f'timestamp="{timestamp}",serial_no="{self._serial}"'
        )

    def bridge(self, appid: str, prepay_id: str) -> dict[str, str]:
        """What the page in WeChat's own browser hands to the wallet: `paySign` says that it comes from us."""
        signed = {
            "appId": appid,
            "timeStamp": str(int(self._clock().timestamp())),
            "nonceStr": secrets.token_hex(16),
            "package": f"prepay_id={prepay_id}",
        }
        text = "".join(f"{value}\n" for value in signed.values())
        return {**signed, "signType": "RSA", "paySign": rsa.sign(self._private_key, text.encode("utf-8"))}


class Verifier:
    """Checks what WeChat signed. During a key switch it signs with either of two keys, named by their serial."""

    def __init__(self, find_key: Callable[[str], RSAPublicKey | None], clock: Callable[[], datetime]) -> None:
        self._find_key = find_key
        self._clock = clock

    def check(self, headers: Mapping[str, str], body: bytes) -> None:
        """Raises `InvalidSignature` or `StaleNotice`. Header names are lower case."""
        timestamp = headers.get("wechatpay-timestamp", "")
        key = self._find_key(headers.get("wechatpay-serial", ""))
        if key is None:
            raise InvalidSignature("signed with a key that we do not hold")
        if headers.get("wechatpay-signature-type", SCHEME) != SCHEME:
            raise InvalidSignature("signed with another algorithm")
        text = answer_text(timestamp, headers.get("wechatpay-nonce", ""), body)
        # WeChat sends wrong signatures ("WECHATPAY/SIGNTEST/…") on purpose, to see that they are refused here.
        if not rsa.verifies(key, text, headers.get("wechatpay-signature", "")):
            raise InvalidSignature("WeChat Pay did not sign this")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
            raise StaleNotice("signed without a time")
        if abs(self._clock().timestamp() - int(timestamp)) > FRESH_SECONDS:
            raise StaleNotice("signed more than five minutes from now")


def encrypted(text: str, key: RSAPublicKey) -> str:
    """A field that only WeChat Pay may read (RSA-OAEP with SHA-1, its own choice)."""
    padding = OAEP(mgf=MGF1(SHA1()), algorithm=SHA1(), label=None)  # noqa: S303
    return b64encode(key.encrypt(text.encode("utf-8"), padding)).decode("ascii")


def opened(resource: Mapping[str, Any], api_v3_key: bytes) -> bytes:
    """The plain text of a notification's sealed resource (AEAD_AES_256_GCM). Raises `MalformedNotice`."""
    if resource.get("algorithm") != "AEAD_AES_256_GCM":
        raise MalformedNotice("sealed with another algorithm")
    try:
        sealed = b64decode(_text(resource, "ciphertext"), validate=True)
        nonce = _text(resource, "nonce").encode("utf-8")
        return AESGCM(api_v3_key).decrypt(nonce, sealed, _text(resource, "associated_data").encode("utf-8"))
    except (InvalidTag, ValueError, OverflowError) as problem:
        raise MalformedNotice("the resource does not open with our key") from problem


def _text(resource: Mapping[str, Any], name: str) -> str:
    value = resource.get(name) or ""
    if not isinstance(value, str):
        raise MalformedNotice(f"{name} is not a text")
    return value
