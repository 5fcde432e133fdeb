"""The certificate authority of this world: a root, an issuer below it, UnionPay's signers and the merchants.

UnionPay is always in the middle of a key change here: it signs with two certificates in turn, both valid.
"""

import json
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sandbox import keys
from sandbox.provider import World

IDENTITY = "00040000:SIGN"
_SIGNERS = ("first_signer", "second_signer")
_YEARS = timedelta(days=3650)


def prepare(world: World) -> None:
    _ensure(world, "root", issuer="root", common_name="Sandbox UnionPay Root CA", authority=True)
    _ensure(world, "middle", issuer="root", common_name="Sandbox UnionPay Issuing CA", authority=True)
    for number, name in enumerate(_SIGNERS, 62):
        common_name = f"041@Z12@{IDENTITY}@{number:08d}"
        _ensure(world, name, issuer="middle", common_name=common_name, authority=False)


def certificate(world: World, name: str) -> str:
    """The PEM of "root", "middle", "first_signer" or "second_signer"."""
    return str(_kept(world, name)["certificate"])


def private_pem(world: World, name: str) -> str:
    return str(_kept(world, name)["key"])


def signer(world: World) -> str:
    """Whose turn it is to sign."""
    turn = world.storage.remember("unionpay.turn", lambda: "0")
    world.storage.run("UPDATE memory SET value = ? WHERE name = 'unionpay.turn'", str(1 - int(turn)))
    return _SIGNERS[int(turn)]


def certify(world: World, public_pem: str, name: str) -> x509.Certificate:
    """A certificate for a merchant's key, as the bank hands it out."""
    return _issued(
        keys.public_key(public_pem),
        name=f"041@8{name}@Sandbox merchant@00000001",
        issuer=x509.load_pem_x509_certificate(certificate(world, "middle").encode("ascii")),
        issuer_pem=private_pem(world, "middle"),
        authority=False,
    )


def pem_of(issued: x509.Certificate) -> str:
    return issued.public_bytes(Encoding.PEM).decode("ascii")


def _kept(world: World, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(world.storage.remember(f"unionpay.{name}", lambda: "{}"))
    return found


def _ensure(world: World, name: str, *, issuer: str, common_name: str, authority: bool) -> None:
    def make() -> str:
        pem = keys.new_private_pem()
        own = issuer == name
        made = _issued(
            keys.private_key(pem).public_key(),
            name=common_name,
            issuer=None
            if own
            else x509.load_pem_x509_certificate(certificate(world, issuer).encode("ascii")),
            issuer_pem=pem if own else private_pem(world, issuer),
            authority=authority,
        )
        return json.dumps({"key": pem, "certificate": pem_of(made)})

    world.storage.remember(f"unionpay.{name}", make)


def _issued(
    key: RSAPublicKey, *, name: str, issuer: x509.Certificate | None, issuer_pem: str, authority: bool
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _YEARS)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(keys.private_key(issuer_pem), SHA256())
    )
