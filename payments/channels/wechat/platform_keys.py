"""The keys that WeChat Pay signs with: those that settings name, and its certificates where it still has them.

A key switch takes WeChat Pay days, and in that time it signs with either key: both are held until the settings let one
go. Certificates are fetched at the first need, again after twelve hours, and when a signature names one that is not
known, at most once in a minute: whoever sends us forgeries must not make us call WeChat Pay each time.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from payments.channels.contract import MalformedNotice
from payments.channels.transport import Unanswered
from payments.channels.wechat.client import Line, check, read_object, text_of
from payments.channels.wechat.signing import Verifier, opened

_FRESH: Final = timedelta(hours=12)
_PAUSE: Final = timedelta(seconds=60)
_LONG_AGO: Final = timedelta(days=36_500)


class PlatformKeys:
    """Looks up keys by serial. `named` are the keys of the settings; `line` is None in public key mode."""

    def __init__(
        self,
        named: Mapping[str, RSAPublicKey],
        *,
        line: Line | None,
        api_v3_key: bytes,
        clock: Callable[[], datetime],
    ) -> None:
        self._named = dict(named)
        self._fetched: dict[str, RSAPublicKey] = {}
        self._line = line
        self._api_v3_key = api_v3_key
        self._clock = clock
        self._lock = Lock()
        self._tried_at = self._fetched_at = clock() - _LONG_AGO

    def find(self, serial: str) -> RSAPublicKey | None:
        """The key called `serial`; asks WeChat Pay when that may help."""
        if serial in self._named:
            return self._named[serial]
        if self._line is not None and (serial not in self._fetched or self._is_old()):
            self._refresh(self._line)
        return self._fetched.get(serial)

    def newest(self) -> tuple[str, RSAPublicKey] | None:
        """The key to encrypt for; asks WeChat Pay when none is known."""
        if not self._named and not self._fetched and self._line is not None:
            self._refresh(self._line)
        return next(iter([*self._named.items(), *self._fetched.items()]), None)

    def newest_name(self) -> str:
        """How the key is called that WeChat Pay best signs with; empty while none is known."""
        return next(iter([*self._named, *self._fetched]), "")

    def _is_old(self) -> bool:
        return self._clock() - self._fetched_at > _FRESH

    def _refresh(self, line: Line) -> None:
        with self._lock:
            if self._clock() - self._tried_at < _PAUSE:
                return
            self._tried_at = self._clock()
            try:
                self._fetched = self._fetch(line)
            except Unanswered:
                return  # what was fetched before stays
            self._fetched_at = self._tried_at

    def _fetch(self, line: Line) -> dict[str, RSAPublicKey]:
        """The certificates that are valid now, the newest first. Raises `Unanswered`.

        They are sealed with the key that only WeChat Pay and we hold, and one of them must have signed the answer,
        or a key that the settings name: during a switch either signs.
        """
        response = line.send("GET", "/v3/certificates")
        if response.status_code != 200:
            raise Unanswered(f"HTTP {response.status_code}", code="http_error")
        try:
            found = dict(_listed(read_object(response.content), self._api_v3_key, self._clock()))
        except (MalformedNotice, ValueError) as problem:
            raise Unanswered("the certificates can not be read", code="unreadable") from problem
        check(response, Verifier({**found, **self._named}.get, self._clock))
        return found


def _listed(
    fields: Mapping[str, Any], api_v3_key: bytes, now: datetime
) -> Iterator[tuple[str, RSAPublicKey]]:
    listed = fields.get("data")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    for row in sorted(rows, key=lambda row: text_of(row, "effective_time"), reverse=True):
        sealed = row.get("encrypt_certificate")
        if not isinstance(sealed, dict):
            raise ValueError("a certificate is missing")
        certificate = x509.load_pem_x509_certificate(opened(sealed, api_v3_key))
        key = certificate.public_key()
        in_time = certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
        if in_time and isinstance(key, RSAPublicKey):
            yield text_of(row, "serial_no"), key
