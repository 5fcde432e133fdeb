"""Where a webhook may go: never to an address of our own, whatever a name resolves to or how it is spelt."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from payments.errors import WebhookUrlInvalid
from payments.models import WebhookEndpoint
from payments.outward import posting
from payments.outward.addresses import AddressRefused, check_url, is_public, vetted
from payments.services.create_webhook_endpoint import create_webhook_endpoint
from tests.payments.receiver import receiving


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    posting.pool.cache_clear()
    yield
    posting.pool().close()
    posting.pool.cache_clear()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url",
    [
        "http://merchant.example/x",
        "ftp://merchant.example/x",
        "https://",
        "https:///path",
        "https://user:pass@merchant.example/",
        "https://merchant.example:22/",
        "https://merchant.example:99999/",
        "https://merchant.example/#fragment",
        "https://mer chant.example/",
        "https://[::1/",
        "//merchant.example",
        "https://merchant.example/" + "x" * 500,
    ],
)
def test_addresses_that_are_refused_by_their_text(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)
    with pytest.raises(WebhookUrlInvalid):
        create_webhook_endpoint(url=url, events=["*"], actor="user:1")
    assert not WebhookEndpoint.objects.exists()


INSIDE = """127.0.0.1 127.8.9.1 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.2.1 198.18.0.1
224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 192.88.99.1 192.0.0.8 ::1 :: ::ffff:127.0.0.1 ::ffff:8.8.8.8
64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1:: 2001:0:1::1 fe80::1 fec0::1 fc00::1 fd12::1 ff02::1 2001:db8::1
::127.0.0.1 100::1 5f00::1""".split()


@pytest.mark.parametrize("address", INSIDE)
def test_nothing_inside_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111"])
def test_the_public_internet_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost", "[::1]"])
def test_other_spellings_of_this_machine(host: str) -> None:
    posted = posting.post(f"https://{host}:8443/", {}, b"{}")
    assert posted.status is None and "not a public address" in posted.error


def _resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return asked


def test_one_inside_address_among_the_answers_is_one_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving(monkeypatch, "8.8.8.8", "10.0.0.5")
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.5"):
        vetted("merchant.example", 443)


def test_the_vetted_address_is_the_one_that_is_called_with_the_right_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TLS to the vetted address, the merchant's name in SNI, in `Host` and in the certificate that is checked."""
    server, client = _tls(tmp_path, "merchant.example")
    monkeypatch.setattr(ssl, "create_default_context", lambda: client)
    with receiving(server, "merchant.example") as receiver:
        port = int(receiver.url.split(":")[2].split("/")[0])
        monkeypatch.setattr("payments.outward.addresses.PORTS", (port,))
        monkeypatch.setattr("payments.outward.addresses.is_public", lambda address: address == "127.0.0.1")
        asked = _resolving(monkeypatch, "127.0.0.1")

        posted = posting.post(receiver.url, {}, b"{}")

        assert posted.arrived, posted
        assert asked == ["merchant.example", "127.0.0.1"], "resolved once, connected to the number"
        assert receiver.server_names == ["merchant.example"]
        assert receiver.sent[0].headers["host"] == f"merchant.example:{port}"

        posting.pool.cache_clear()
        wrong = posting.post(receiver.url.replace("merchant", "another"), {}, b"{}")
        assert wrong.status is None and "CERTIFICATE_VERIFY_FAILED" in wrong.error


def _tls(folder: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "both.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=pem.decode())
    return server, client
