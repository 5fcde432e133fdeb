"""RSASSA-PKCS1-v1_5 with SHA-256, as Alipay ("RSA2") and WeChat Pay sign. Keys come from PEM files."""

from base64 import b64decode, b64encode
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"


def read_private_key(path: str) -> RSAPrivateKey:
    """The RSA key in the PEM file at `path`. Raises `ValueError` for any other kind of key, `OSError`."""
    key = _private_key(Path(path).read_bytes())
    if not isinstance(key, RSAPrivateKey):
        raise ValueError(f"{path} does not hold an RSA private key")
    return key


# Whether its primes are primes takes longer than anything else about a channel, and is asked once of the same key.
@lru_cache(maxsize=16)
def _private_key(pem: bytes) -> PrivateKeyTypes:
    return load_pem_private_key(pem, password=None)


def read_public_key(path: str) -> RSAPublicKey:
    """The RSA key in the PEM file at `path`, bare or in a certificate. Raises `ValueError`, `OSError`."""
    content = Path(path).read_bytes()
    if _CERTIFICATE in content:
        key: object = x509.load_pem_x509_certificate(content).public_key()
    else:
        key = load_pem_public_key(content)
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{path} does not hold an RSA public key")
    return key


def sign(key: RSAPrivateKey, text: bytes) -> str:
    """The signature of `text`, in base 64."""
    return b64encode(key.sign(text, PKCS1v15(), SHA256())).decode("ascii")


def verifies(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """Whether `signature` (base 64) is `key`'s over exactly `text`. Never raises for what a stranger sent."""
    try:
        key.verify(b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
