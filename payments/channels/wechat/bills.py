"""WeChat Pay's bills: a signed answer with an address and a SHA-1, and behind the address a file that nobody signed.
The SHA-1 is of the file without its gzip wrapping; a file that has another one is not believed."""

import zlib
from collections.abc import Mapping
from datetime import date
from hashlib import sha1
from types import MappingProxyType
from typing import Final

from payments.channels.contract import ChannelUnavailable, Statement, StatementNotReady, StatementUnavailable
from payments.channels.transport import Unanswered
from payments.channels.wechat.client import Api, ApiAnswer, text_of

CHANNEL: Final = "wechat"
_TRADES: Final = "/v3/bill/tradebill?bill_date={day}&bill_type={type}&tar_type=GZIP"
_FUNDS: Final = "/v3/bill/fundflowbill?bill_date={day}&account_type={type}&tar_type=GZIP"
_TARGETS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "trade": (_TRADES, "ALL"),
        "trade_success": (_TRADES, "SUCCESS"),
        "trade_refund": (_TRADES, "REFUND"),
        "fundflow": (_FUNDS, "BASIC"),
    }
)
# Together these tell everything; the others are parts of the first.
KINDS: Final = ("trade", "fundflow")
_EMPTY_DAY: Final = "NO_STATEMENT_EXIST"
_NOT_YET: Final = "STATEMENT_CREATING"
_TOO_OFTEN: Final = "FREQUENCY_LIMITED"
_LARGEST: Final = 512 * 1024 * 1024
_GZIP: Final = 16 + zlib.MAX_WBITS


def fetch(api: Api, kind: str, day: date) -> Statement:
    """The bill of `day` (GMT+8). Raises `StatementNotReady`, `StatementUnavailable`, `ChannelUnavailable`."""
    if kind not in _TARGETS:
        raise StatementUnavailable(f"WeChat Pay writes no bill called {kind!r}")
    pattern, bill_type = _TARGETS[kind]
    name = f"wechat_{kind}_{day:%Y%m%d}.csv"
    try:
        answer = api.call("GET", pattern.format(day=day.isoformat(), type=bill_type))
        if answer.code == _EMPTY_DAY:
            return Statement(CHANNEL, kind, day, name, b"")
        if not answer.ok:
            raise _refusal(answer, day)
        content = _unpacked(api.fetch(text_of(answer.fields, "download_url")))
    except Unanswered as unanswered:
        raise ChannelUnavailable(f"WeChat Pay gave no bill: {unanswered}") from unanswered
    _check(answer, content)
    return Statement(CHANNEL, kind, day, name, content)


def _refusal(answer: ApiAnswer, day: date) -> Exception:
    said = f"{answer.code}: {answer.message}"
    if answer.code == _NOT_YET:
        return StatementNotReady(f"WeChat Pay has not written the bill of {day} yet")
    if answer.code == _TOO_OFTEN:
        return ChannelUnavailable(f"WeChat Pay was asked for bills too often ({said})")
    return StatementUnavailable(f"WeChat Pay has no such bill ({said})")


def _unpacked(packed: bytes) -> bytes:
    unpacking = zlib.decompressobj(wbits=_GZIP)
    try:
        content = unpacking.decompress(packed, _LARGEST)
    except zlib.error as problem:
        raise Unanswered("the file is not packed as asked", code="unreadable") from problem
    if not unpacking.eof:
        raise Unanswered("the file is cut off, or larger than any bill", code="unreadable")
    return content


def _check(answer: ApiAnswer, content: bytes) -> None:
    if text_of(answer.fields, "hash_type") != "SHA1":
        raise ChannelUnavailable("WeChat Pay named another check sum than SHA-1")
    found = sha1(content, usedforsecurity=False).hexdigest()
    if found != text_of(answer.fields, "hash_value").lower():
        raise ChannelUnavailable("the bill is not the one whose check sum WeChat Pay signed")
