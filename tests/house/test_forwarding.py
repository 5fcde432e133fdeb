"""Whose address counts behind a proxy: the header is believed from the right, and as far as proxies are known."""

import pytest
from django.http import HttpRequest, HttpResponse

from config.forwarding import client_address, proxies
from config.middleware import ClientAddressMiddleware

KNOWN = proxies(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"])
NOBODY = proxies([])


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.7", "203.0.113.9"),  # a stranger says so
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.7", "198.51.100.7"),  # the left one anybody can write
        ("127.0.0.1", "10.0.0.1, 198.51.100.7", "198.51.100.7"),
        ("127.0.0.1", "198.51.100.7,10.0.0.5 ,  10.1.2.3", "198.51.100.7"),
        ("127.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.5", "198.51.100.7"),
        ("127.0.0.1", "10.0.0.4, 10.0.0.5", "10.0.0.4"),  # from inside
        ("", "198.51.100.7", "198.51.100.7"),  # a socket of this machine
        ("127.0.0.1", "198.51.100.7:4711", "198.51.100.7"),
        ("127.0.0.1", "2001:DB8:2::0001", "2001:db8:2::1"),
        ("127.0.0.1", "[2001:db8:2::1]:443", "2001:db8:2::1"),
        ("127.0.0.1", "[2001:db8:2::1]", "2001:db8:2::1"),
        ("127.0.0.1", "2001:db8:2::9, 2001:db8:1:5::1", "2001:db8:2::9"),
        ("2001:db8:1::7", "198.51.100.7", "198.51.100.7"),
        ("::ffff:10.0.0.5", "::ffff:198.51.100.7", "198.51.100.7"),
        ("fe80::1%eth0", "198.51.100.7", "fe80::1"),
        ("127.0.0.1", "198.51.100.7, unknown", ""),  # our proxy does not say: nobody further left is asked
        ("127.0.0.1", "unknown, 10.0.0.5", ""),
        ("127.0.0.1", "198.51.100.7, ", ""),
        ("127.0.0.1", "198.51.100.7, 10.0.0.5'; DROP TABLE", ""),
        ("127.0.0.1", "999.1.1.1", ""),
        ("127.0.0.1", ", ".join(["1.1.1.1"] * 5000), "1.1.1.1"),
        ("no address", "198.51.100.7", "no address"),
    ],
)
def test_who_asks(peer: str, forwarded: str, found: str) -> None:
    assert client_address(peer, forwarded, KNOWN) == found


def test_whoever_believes_everybody_believes_one_of_them() -> None:
    """With `*` nobody tells a proxy from a customer, so the last address counts and no other."""
    anybody = proxies(["*"])
    assert client_address("203.0.113.9", "1.1.1.1, 198.51.100.7", anybody) == "198.51.100.7"
    assert client_address("203.0.113.9", "1.1.1.1, 10.0.0.5", anybody) == "10.0.0.5"
    several = proxies(["*", "10.0.0.0/8"])
    assert client_address("203.0.113.9", "1.1.1.1, 10.0.0.5", several) == "1.1.1.1"
    assert client_address("127.0.0.1", "198.51.100.7", NOBODY) == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["proxy.example.com", "10.0.0.0/40", "10.0.0"])
def test_what_is_no_network_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="does not appear"):
        proxies(["127.0.0.1", wrong])


def test_everything_behind_the_middleware_reads_the_address_that_was_found() -> None:
    request = HttpRequest()
    request.META |= {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "1.1.1.1, 198.51.100.7"}
    seen: list[str] = []

    def view(asked: HttpRequest) -> HttpResponse:
        seen.append(asked.META["REMOTE_ADDR"])
        return HttpResponse()

    ClientAddressMiddleware(view)(request)
    assert seen == ["198.51.100.7"]
