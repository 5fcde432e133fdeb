"""Secrets and keys, made at the first start into the data folder, never in the repository."""

import base64
import json
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from config.embedded.errors import CannotStart
from config.embedded.folder import DataFolder

# Generated once and kept: name → bytes of randomness.
_GENERATED = {
    "SECRET_KEY": 48,
    "AUDIT_HMAC_KEY": 32,
    "RISK_ENTITY_KEY": 32,
    "POSTGRES_PASSWORD": 24,
    "POSTGRES_SUPERUSER_PASSWORD": 24,
    "REDIS_PASSWORD": 24,
}
# user name → what the person does
PEOPLE = {
    "demo": "customer of the shop",
    "support": "support",
    "analyst": "risk analyst",
    "manager": "risk manager",
    "finance": "finance",
    "admin": "administrator",
}
_HEAD = (
    "# Written by `manage.py up`; generated values are kept, addresses follow the ports of the last start.\n"
)


def read(folder: DataFolder) -> dict[str, str]:
    """What the environment file holds. Raises `CannotStart` when it is not the file that we wrote."""
    if not folder.environment.exists():
        return {}
    pairs: dict[str, str] = {}
    for number, line in enumerate(folder.environment.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise CannotStart(
                f"{folder.environment}, line {number}, is not NAME='value': put back what you changed"
            )
        pairs[name] = value.removeprefix("'").removesuffix("'")
    return pairs


def render(values: Mapping[str, str]) -> str:
    return _HEAD + "".join(f"{name}='{value}'\n" for name, value in values.items())


def ensure(folder: DataFolder) -> dict[str, str]:
    """The kept secrets, made where missing; not yet written."""
    kept = read(folder)
    made = {name: kept.get(name) or secrets.token_urlsafe(size) for name, size in _GENERATED.items()}
    made["QUOTE_KEYS"] = kept.get("QUOTE_KEYS") or f"q1={secrets.token_hex(32)}"
    made["VAULT_KEYS"] = (
        kept.get("VAULT_KEYS") or f"v1={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"
    )
    return made


def ensure_sign_ins(folder: DataFolder) -> dict[str, str]:
    """The demo people's passwords, user name → password."""
    known: dict[str, str] = json.loads(folder.sign_ins.read_text()) if folder.sign_ins.exists() else {}
    missing = {name: secrets.token_urlsafe(9) for name in PEOPLE if name not in known}
    if missing:
        known |= missing
        folder.write_private(folder.sign_ins, json.dumps(known, indent=2) + "\n")
    return known


def ensure_rsa_key(folder: DataFolder, name: str) -> tuple[str, str]:
    """The path of the private key `name` and its public half as PEM."""
    path = folder.keys / f"{name}.pem"
    if not path.exists():
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        folder.write_private(path, pem.decode())
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return str(path), public.decode()
