"""Certificate mode: Alipay's root, a certificate for each of its keys, and the numbers that name them."""

from datetime import UTC, datetime
from functools import cache
from hashlib import md5, sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox import keys
from sandbox.provider import World

_ROOT_KEY = "alipay.root_key"
_FROM, _TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2045, 1, 1, tzinfo=UTC)


def root(world: World) -> str:
    key = world.storage.remember(_ROOT_KEY, keys.new_private_pem)
    return _certificate("Sandbox Alipay Root", keys.public_pem(key), key)


def of_alipay(world: World, pem: str) -> str:
    """The certificate of the key that Alipay signs with."""
    key = world.storage.remember(_ROOT_KEY, keys.new_private_pem)
    return _certificate("Alipay", keys.public_pem(pem), key)


def of_application(world: World, app_id: str, public_pem: str) -> str:
    """The certificate of an application's key, as Alipay's developer centre gives it."""
    key = world.storage.remember(_ROOT_KEY, keys.new_private_pem)
    return _certificate(app_id, public_pem, key)


@cache
def serial(pem: str) -> str:
    """Alipay's number: MD5 of the issuer as text and the decimal serial number."""
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    issuer = ",".join(reversed([part.rfc4514_string() for part in certificate.issuer.rdns]))
    return md5(f"{issuer}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


@cache
def _certificate(name: str, public_pem: str, root_pem: str) -> str:
    """Always the same for the same key: its number is the key's."""
    public: RSAPublicKey = keys.public_key(public_pem)
    number = int.from_bytes(sha256(f"{name}{public_pem}".encode()).digest()[:16], "big")
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("Sandbox Alipay Root"))
        .public_key(public)
        .serial_number(number)
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
        .sign(keys.private_key(root_pem), SHA256())
    )
    return made.public_bytes(Encoding.PEM).decode("ascii")


def _name(common: str) -> x509.Name:
    told = (
        (NameOID.COUNTRY_NAME, "CN"),
        (NameOID.ORGANIZATION_NAME, "Sandbox"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"),
        (NameOID.COMMON_NAME, common),
    )
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in told])
