"""One POST to a merchant on a connection of its own: a notification needs no pool, and a busy world many posts."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

import h11

_LARGEST_ANSWER = 65_536


class Undelivered(Exception):
    """No answer came; the message says why."""


@dataclass(frozen=True, slots=True)
class MerchantAnswer:
    status: int
    body: bytes


async def post(url: str, headers: Mapping[str, str], body: bytes, *, seconds: float) -> MerchantAnswer:
    """Send and read the answer; redirects are not followed. Raises Undelivered."""
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(url, headers, body)
    except TimeoutError as error:
        raise Undelivered(f"no answer in {seconds:.0f} s") from error
    except (OSError, ValueError, h11.ProtocolError) as error:
        raise Undelivered(f"{type(error).__name__}: {error}") from error


async def _exchange(url: str, headers: Mapping[str, str], body: bytes) -> MerchantAnswer:
    where = urlsplit(url)
    secure = where.scheme == "https"
    if where.scheme not in ("http", "https") or not where.hostname:
        raise ValueError(f"{url!r} is no address of a web server")
    reader, writer = await asyncio.open_connection(
        where.hostname, where.port or (443 if secure else 80), ssl=secure or None
    )
    try:
        wire = h11.Connection(h11.CLIENT)
        writer.write(_request(wire, where, headers, body))
        return await _answer(wire, reader)
    finally:
        writer.close()


def _request(wire: h11.Connection, where: SplitResult, headers: Mapping[str, str], body: bytes) -> bytes:
    told = {"Host": where.netloc, "Content-Length": str(len(body)), "Connection": "close", **headers}
    target = (where.path or "/") + (f"?{where.query}" if where.query else "")
    request = h11.Request(method="POST", target=target, headers=list(told.items()))
    return b"".join(wire.send(part) or b"" for part in (request, h11.Data(data=body), h11.EndOfMessage()))


async def _answer(wire: h11.Connection, reader: asyncio.StreamReader) -> MerchantAnswer:
    status, body = 0, b""
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            wire.receive_data(await reader.read(_LARGEST_ANSWER))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > _LARGEST_ANSWER:
                raise ValueError("the answer is too long")
        elif isinstance(event, h11.EndOfMessage):
            return MerchantAnswer(status, body)
        elif isinstance(event, h11.ConnectionClosed):
            raise ValueError("the connection was closed without an answer")
