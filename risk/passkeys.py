"""Passkeys (WebAuthn): what the browser is asked, and whether what it answers is right."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import webauthn
from django.conf import settings
from django.utils import timezone
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from risk.models import Challenge, Passkey
from risk.models.lists import entity_secret, key_of
from risk.states import EntityKind

# What a reader of somebody else's making may raise on what is not what it says.
UNREADABLE = (WebAuthnException, ValueError, TypeError, KeyError)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPasskey:
    credential: str
    public_key: bytes
    sign_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyView:
    public_id: str
    label: str
    created_at: datetime
    last_used_at: datetime | None


def party() -> str:
    """The name that passkeys are bound to: this shop's host; empty where it has only an address, or none."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host
    return ""


def of_customer(customer: str) -> Sequence[PasskeyView]:
    """None where passkeys can not be used, whatever was kept before."""
    if not customer or not party():
        return []
    return [
        PasskeyView(
            public_id=row.public_id,
            label=row.label,
            created_at=row.created_at,
            last_used_at=row.last_used_at,
        )
        for row in _of_key(key_of(EntityKind.CUSTOMER, customer))
    ]


def _of_key(customer_key: str) -> Sequence[Passkey]:
    return list(Passkey.objects.filter(customer_key=customer_key, ended_at=None).order_by("pk")[:20])


def offer(customer: str, *, name: str, nonce: str) -> dict[str, Any]:
    """What `navigator.credentials.create` is given for a new passkey of the customer."""
    options = webauthn.generate_registration_options(
        rp_id=party(),
        rp_name="Smart Checkout",
        user_name=name,
        user_id=bytes.fromhex(key_of(EntityKind.CUSTOMER, customer)),
        challenge=_question(customer, nonce),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=_described(_of_key(key_of(EntityKind.CUSTOMER, customer))),
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def read_new(customer: str, *, nonce: str, answer: str) -> NewPasskey:
    """The passkey in what the browser answered. Raises one of `UNREADABLE`."""
    made = webauthn.verify_registration_response(
        credential=answer,
        expected_challenge=_question(customer, nonce),
        expected_rp_id=party(),
        expected_origin=_origin(),
        require_user_verification=True,
    )
    return NewPasskey(
        credential=bytes_to_base64url(made.credential_id),
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
    )


def questions(row: Challenge) -> dict[str, Any]:
    """What `navigator.credentials.get` is given: sign this challenge with one of the customer's passkeys."""
    options = webauthn.generate_authentication_options(
        rp_id=party(),
        challenge=row.question,
        allow_credentials=_described(_of_key(row.customer_key)),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return dict(json.loads(webauthn.options_to_json(options)))


def is_signed(row: Challenge, answer: str) -> bool:
    """Whether one of the customer's passkeys signed this challenge; its counter goes on with it."""
    try:
        credential = str(json.loads(answer)["id"])
        key = Passkey.objects.get(credential=credential, customer_key=row.customer_key, ended_at=None)
        signed = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=row.question,
            expected_rp_id=party(),
            expected_origin=_origin(),
            credential_public_key=bytes(key.public_key),
            credential_current_sign_count=key.sign_count,
            require_user_verification=True,
        )
    except (*UNREADABLE, Passkey.DoesNotExist):
        return False
    key.sign_count, key.last_used_at = signed.new_sign_count, timezone.now()
    key.save(update_fields=["sign_count", "last_used_at"])
    return True


def _described(keys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential)) for key in keys]


def _question(customer: str, nonce: str) -> bytes:
    return hmac.digest(entity_secret(), f"risk.passkeys:{customer}:{nonce}".encode(), hashlib.sha256)


def _origin() -> str:
    parts = urlsplit(settings.PUBLIC_URL)
    return f"{parts.scheme}://{parts.netloc}"
