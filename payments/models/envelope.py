"""Sealing what is kept about a customer: AES-256-GCM under a key of their own, derived from a master key and a salt.

An envelope names its master key, and opens at its own place alone: in another row, column or customer's vault it is
refused. Without the customer's salt nothing of theirs opens any more, in no backup either.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

SALT_BYTES = 32
_KEY_BYTES = 32
_NONCE_BYTES = 12
_FORM = "v1"


class DoesNotOpen(Exception):
    """Tampered with, put at another place, or sealed under a key that is not known any more."""


def current_version() -> str:
    """The master key under which everything is sealed from now on: the first of `VAULT_KEYS`."""
    version: str = next(iter(settings.VAULT_KEYS))
    return version


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


def seal(text: str, *, version: str, salt: bytes, place: str) -> str:
    nonce = secrets.token_bytes(_NONCE_BYTES)
    key = _derived(_master(version), salt, "seal")
    sealed = AESGCM(key).encrypt(nonce, text.encode(), _bound(version, place))
    return f"{_FORM}.{version}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"


def unseal(envelope: str, *, salt: bytes | None, place: str) -> str:
    """Raises `DoesNotOpen`."""
    form, _, rest = envelope.partition(".")
    version, _, body = rest.rpartition(".")
    if form != _FORM or not salt or version not in settings.VAULT_KEYS:
        raise DoesNotOpen("there is no key for it")
    try:
        raw = base64.b64decode(body, altchars=b"-_", validate=True)
        key = _derived(_master(version), salt, "seal")
        return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(version, place)).decode()
    except (InvalidTag, binascii.Error, ValueError) as error:
        raise DoesNotOpen("it was changed, or belongs elsewhere") from error


def blind(text: str, *, version: str, salt: bytes) -> str:
    """By which the same text of the same customer is found again, and nobody else's."""
    key = _derived(_master(version), salt, "blind index")
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _bound(version: str, place: str) -> bytes:
    return f"{_FORM}/{version}/{place}".encode()


def _master(version: str) -> bytes:
    try:
        key = base64.b64decode(
            settings.VAULT_KEYS[version].replace("-", "+").replace("_", "/"), validate=True
        )
    except (KeyError, binascii.Error) as error:
        raise ImproperlyConfigured(f"VAULT_KEYS has no usable key {version}") from error
    if len(key) != _KEY_BYTES:
        raise ImproperlyConfigured(f"the key {version} in VAULT_KEYS has {len(key)} bytes, not {_KEY_BYTES}")
    return key


@lru_cache(maxsize=512)
def _derived(master: bytes, salt: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt, f"payments vault {purpose}".encode()).derive(master)
