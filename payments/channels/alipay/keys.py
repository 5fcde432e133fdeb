"""The keys that Alipay may sign with, and the numbers by which certificates are named.

While Alipay's key is changed it signs with the old one and the new one: both are held. In certificate mode each key
comes in a certificate, and an answer says which one signed it.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import md5
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from payments.channels import rsa

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_RSA_SIGNATURES = "1.2.840.113549.1.1."


class KeyRing:
    """Every key that is accepted. `named` are those that came in a certificate, by its serial number."""

    def __init__(self, keys: Iterable[RSAPublicKey], named: Mapping[str, RSAPublicKey] | None = None) -> None:
        self._keys = tuple(keys)
        self._named = dict(named or {})

    def verifies(self, text: bytes, signature: str, serial: str = "") -> bool:
        """Whether one of the keys signed exactly `text`; the one called `serial`, where certificates are held."""
        keys = self._keys
        if self._named and serial:
            keys = (self._named[serial],) if serial in self._named else ()
        return any(rsa.verifies(key, text, signature) for key in keys)


def read_key_ring(paths: Iterable[str]) -> KeyRing:
    """The keys in the PEM files at `paths`, bare or in certificates. Raises `ValueError`, `OSError`."""
    keys = {path: rsa.read_public_key(path) for path in paths}
    serials = {path: certificate_serial(path) for path in keys}
    return KeyRing(keys.values(), {serials[path]: key for path, key in keys.items() if serials[path]})


def certificate_serial(path: str) -> str:
    """Alipay's number of the certificate in the file at `path`; empty for a bare key."""
    found = _certificates(path)
    return _serial(found[0]) if found else ""


def root_serial(path: str) -> str:
    """The numbers of the RSA certificates in the root file, as Alipay joins them."""
    found = [one for one in _certificates(path) if _is_rsa(one)]
    if not found:
        raise ValueError(f"{path} does not hold an RSA root certificate")
    return "_".join(_serial(one) for one in found)


def _certificates(path: str) -> list[x509.Certificate]:
    parts: list[bytes] = _CERTIFICATE.findall(Path(path).read_bytes())
    return [x509.load_pem_x509_certificate(part) for part in parts]


def _is_rsa(certificate: x509.Certificate) -> bool:
    # The same file also holds roots of China's own algorithms, whose keys nothing here can read.
    return certificate.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES)


def _serial(certificate: x509.Certificate) -> str:
    named = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    # MD5 is Alipay's way of naming a certificate; nothing rests on its strength.
    return md5(named.encode("utf-8"), usedforsecurity=False).hexdigest()
