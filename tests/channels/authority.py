"""A certificate authority for tests: chains that are right, and chains that are wrong in one place."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.channels.drivers.wallet import new_key

NOW = datetime(2026, 11, 21, 8, tzinfo=UTC)
IDENTITY = "00040000:SIGN"
SIGNER_NAME = f"041@Z12@{IDENTITY}@00000062"


def certificate(
    name: str,
    key: RSAPrivateKey,
    issuer: x509.Certificate | None,
    issuer_key: RSAPrivateKey,
    *,
    authority: bool = False,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=365),
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, SHA256())
    )


class Chain:
    """A root, an issuer below it, and a signer with UnionPay's name."""

    def __init__(self) -> None:
        self.root_key, self.middle_key, self.key = new_key(), new_key(), new_key()
        self.root = certificate("Root", self.root_key, None, self.root_key, authority=True)
        self.middle = certificate("Middle", self.middle_key, self.root, self.root_key, authority=True)
        self.leaf = self.issue()

    def issue(self, name: str = SIGNER_NAME, key: RSAPrivateKey | None = None, **dates: Any) -> str:
        """The PEM of another signer below the issuer."""
        return pem(certificate(name, key or self.key, self.middle, self.middle_key, **dates))


def pem(issued: x509.Certificate) -> str:
    return issued.public_bytes(Encoding.PEM).decode()
