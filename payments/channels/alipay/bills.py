"""Alipay's bills: a signed answer with an address that lives for thirty seconds, and behind it a zip that nobody
signed. The zip is handed on as it came."""

import re
import zlib
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from io import BytesIO
from typing import Final
from urllib.parse import urlsplit, urlunsplit
from zipfile import BadZipFile, ZipFile

from payments.channels.alipay import codes
from payments.channels.alipay.client import ALIPAY_TIME, Gateway, GatewayAnswer
from payments.channels.contract import ChannelUnavailable, Statement, StatementNotReady, StatementUnavailable
from payments.channels.transport import Unanswered, is_loopback

CHANNEL: Final = "alipay"
KINDS: Final = ("trade", "signcustomer")
_METHOD: Final = "alipay.data.dataservice.bill.downloadurl.query"
# What Alipay says of a day without any trade is what it says of a bill that is not written yet: "does not exist" is
# believed this long after the day's end.
_SURELY_WRITTEN: Final = timedelta(hours=36)
_LARGEST_UNPACKED: Final = 512 * 1024 * 1024
_BROKEN: Final = (BadZipFile, zlib.error, ValueError, OSError, NotImplementedError, EOFError, RuntimeError)
_NO_BILL: Final = re.compile(r"not.?exist|不存在", re.IGNORECASE)


def fetch(gateway: Gateway, kind: str, day: date, clock: Callable[[], datetime]) -> Statement:
    """The bill of `day` (GMT+8). Raises `StatementNotReady`, `StatementUnavailable`, `ChannelUnavailable`."""
    if kind not in KINDS:
        raise StatementUnavailable(f"Alipay writes no bill called {kind!r}")
    name = f"alipay_{kind}_{day:%Y%m%d}.csv.zip"
    try:
        answer = gateway.call(_METHOD, {"bill_type": kind, "bill_date": day.isoformat()})
        if not answer.ok:
            _refused(answer, day, clock())
            return Statement(CHANNEL, kind, day, name, b"")
        content = gateway.download(_safe(answer.text("bill_download_url")))
    except Unanswered as unanswered:
        raise ChannelUnavailable(f"Alipay gave no bill: {unanswered}") from unanswered
    _check(content)
    return Statement(CHANNEL, kind, day, name, content)


def _refused(answer: GatewayAnswer, day: date, now: datetime) -> None:
    """Raises what the refusal means; returns when the day is known to be empty."""
    said = f"{answer.code}: {answer.message}"
    if answer.fields.get("code") in codes.BUSY or answer.code in codes.BILL_LATER:
        raise ChannelUnavailable(f"Alipay gave no bill now ({said})")
    if answer.fields.get("code") != codes.BUSINESS_FAILED:
        raise StatementUnavailable(f"Alipay refused to give the bill ({said})")
    if not _NO_BILL.search(said):
        raise StatementUnavailable(f"Alipay has no such bill ({said})")
    end = datetime.combine(day + timedelta(days=1), time(), ALIPAY_TIME)
    if now < end + _SURELY_WRITTEN:
        raise StatementNotReady(f"Alipay has not written the bill of {day} yet")


def _safe(address: str) -> str:
    """Alipay still writes plain http; what is not on this machine is fetched over TLS."""
    parts = urlsplit(address)
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        parts = parts._replace(scheme="https")
    return urlunsplit(parts)


def _check(content: bytes) -> None:
    """Whether every member is there as its check sum says: a cut download is not one."""
    try:
        with ZipFile(BytesIO(content)) as archive:
            if sum(member.file_size for member in archive.infolist()) > _LARGEST_UNPACKED:
                raise ChannelUnavailable("Alipay's bill is larger than any bill")
            damaged = archive.testzip()
    except _BROKEN as problem:
        raise ChannelUnavailable("what Alipay gave is no whole zip") from problem
    if damaged is not None:
        raise ChannelUnavailable("what Alipay gave is a damaged zip")
