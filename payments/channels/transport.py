"""How own clients reach a provider: one checked address, one time limit, one exception for "no clear answer"."""

from collections.abc import Mapping
from functools import cache
from ipaddress import ip_address
from ssl import SSLContext
from urllib.parse import urlsplit

import httpx

from payments.channels.meanings import NOT_REACHED


class Unanswered(Exception):
    """The provider gave no answer that can be trusted: what happened there is unknown.

    `code` is what an answer that could not be verified claimed; it is for the operator and decides nothing.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.code = code


def is_loopback(host: str | None) -> bool:
    """Whether `host` names this machine and nothing else."""
    try:
        return host == "localhost" or (host is not None and ip_address(host).is_loopback)
    except ValueError:
        return False


def checked_url(url: str) -> str:
    """`url` without a trailing slash. Raises `ValueError` for plain http to anything but this machine."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return url.rstrip("/")
    if parts.scheme == "http" and is_loopback(parts.hostname):
        return url.rstrip("/")
    raise ValueError(f"{url!r} is not an https address; plain http is for this machine only")


@cache
def tls(*, trust_env: bool) -> SSLContext:
    """What the program trusts, read once: every certificate of the world takes longer to read than a request takes."""
    return httpx.create_ssl_context(trust_env=trust_env)


class Transport:
    """Sends one request and gives back one whole response, or raises `Unanswered`."""

    def __init__(self, base_url: str, timeout_seconds: float) -> None:
        self.base_url = checked_url(base_url)
        # A proxy from the environment must never stand between this machine and its own sandbox.
        behind_proxy = not is_loopback(urlsplit(self.base_url).hostname)
        self._client = httpx.Client(
            timeout=timeout_seconds,
            follow_redirects=False,
            trust_env=behind_proxy,
            verify=tls(trust_env=behind_proxy),
        )

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str], content: bytes = b""
    ) -> httpx.Response:
        try:
            return self._client.request(method, url, headers=dict(headers), content=content or None)
        except (httpx.ConnectError, httpx.ConnectTimeout) as problem:
            raise Unanswered(f"not reached: {type(problem).__name__}", code=NOT_REACHED) from problem
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as problem:
            raise Unanswered(f"no answer: {type(problem).__name__}", code="no_answer") from problem
