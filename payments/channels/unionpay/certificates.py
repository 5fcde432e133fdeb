"""Whose key signed: UnionPay sends its certificate along, so the certificate itself must be proven first.

Anybody can sign with a certificate of his own making. One is believed only when a chain of the issuers that the
operator configured leads from it to the configured root, all of them are valid now, and its common name carries
UnionPay's identity. Several signers may be valid at once: that is how UnionPay changes its key.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509.oid import NameOID

_LONGEST_CHAIN: Final = 4
_LONGEST_PEM: Final = 8 * 1024


class Distrusted(Exception):
    """The certificate proves nothing; the message says why."""


def read_certificates(path: str) -> list[x509.Certificate]:
    """The certificates in the PEM file at `path`, at least one. Raises `ValueError`, `OSError`."""
    return x509.load_pem_x509_certificates(Path(path).read_bytes())


class Trust:
    """What is believed. `identity` is the third part of the common name `041@…@identity@…`."""

    def __init__(
        self,
        *,
        roots: Sequence[x509.Certificate],
        intermediates: Sequence[x509.Certificate],
        identity: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._roots = tuple(roots)
        self._intermediates = tuple(intermediates)
        self._identity = identity
        self._clock = clock

    def key_of(self, pem: str) -> RSAPublicKey:
        """The key inside the certificate `pem`, once that is proven to be UnionPay's. Raises `Distrusted`."""
        try:
            leaf = _loaded(pem)
            self._check_name(leaf)
            self._check_chain(leaf)
            key = leaf.public_key()
        except (ValueError, UnsupportedAlgorithm) as problem:
            # What a stranger wrote is read part by part, and each part may be nonsense.
            raise Distrusted("the certificate can not be read") from problem
        if not isinstance(key, RSAPublicKey):
            raise Distrusted("the certificate holds no RSA key")
        return key

    def _check_name(self, leaf: x509.Certificate) -> None:
        names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        parts = str(names[0].value).split("@") if len(names) == 1 else []
        if len(parts) < 3 or parts[2] != self._identity:
            raise Distrusted("the certificate is not UnionPay's")
        if _is_authority(leaf):
            raise Distrusted("an issuer's certificate signs no messages")

    def _check_chain(self, leaf: x509.Certificate) -> None:
        below = leaf
        for _ in range(_LONGEST_CHAIN):
            self._check_dates(below)
            if root := _issuer_among(self._roots, below):
                self._check_dates(root)
                return
            issuer = _issuer_among(self._intermediates, below)
            if issuer is None:
                break
            below = issuer
        raise Distrusted("no chain leads to the configured root")

    def _check_dates(self, certificate: x509.Certificate) -> None:
        if not certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc:
            raise Distrusted("a certificate is not valid at this time")


def _loaded(pem: str) -> x509.Certificate:
    if len(pem) > _LONGEST_PEM:
        raise Distrusted("longer than any certificate")
    return x509.load_pem_x509_certificate(pem.encode("ascii"))


def _issuer_among(issuers: Sequence[x509.Certificate], below: x509.Certificate) -> x509.Certificate | None:
    return next((issuer for issuer in issuers if _is_authority(issuer) and _issued(issuer, below)), None)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _issued(issuer: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(issuer)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
        return False
    return True
