"""RSA keys of the providers and their merchants, and PKCS#1 v1.5 SHA-256 signatures in base 64."""

from base64 import b64decode, b64encode
from functools import cache, lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)


def new_private_pem() -> str:
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


@cache
def private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode("ascii"), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def public_pem(pem: str) -> str:
    """The public half of a private key."""
    half = private_key(pem).public_key()
    return half.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


@lru_cache(maxsize=256)
def public_key(pem: str) -> RSAPublicKey:
    """Raises ValueError for anything but an RSA public key."""
    key = load_pem_public_key(pem.encode("utf-8"))
    if not isinstance(key, RSAPublicKey):
        raise ValueError("an RSA public key in PEM is needed")
    return key


def sign(pem: str, text: bytes) -> str:
    return b64encode(private_key(pem).sign(text, PKCS1v15(), SHA256())).decode("ascii")


def verifies(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    try:
        key.verify(b64decode(signature, validate=True), text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
