"""Statements of every channel and bank, from bytes to lines. Pure: no Django, no database."""

from typing import Final

from reconciliation.errors import StatementFormatUnknown
from reconciliation.parsers import alipay, bank, ecny, stripe, unionpay, wechat
from reconciliation.parsers.archives import first_text
from reconciliation.parsers.contract import Format as Format
from reconciliation.parsers.contract import Mapping as Mapping
from reconciliation.parsers.contract import Told as Told

# Enough of a file to recognise it by.
HEAD: Final = 16 * 1024
_CHANNELS: Final = (
    *(alipay.FORMATS, wechat.FORMATS, stripe.FORMATS, unionpay.FORMATS, ecny.FORMATS, bank.FORMATS),
)
FORMATS: Final = tuple(one for formats in _CHANNELS for one in formats.values())
_BY_NAME: Final = {(one.channel, one.kind): one for one in FORMATS}


def format_of(channel: str, kind: str) -> Format:
    """Raises `StatementFormatUnknown`."""
    found = _BY_NAME.get((channel, kind))
    if found is None:
        known = ", ".join(f"{one.channel} {one.kind}" for one in FORMATS)
        raise StatementFormatUnknown(
            f"There is no statement {channel[:40]} {kind[:40]}: choose one of {known}."
        )
    return found


def sniff(name: str, head: bytes) -> tuple[str, str] | None:
    """Channel and kind of a file, by its first bytes (`HEAD` of them) and its name; None when nobody knows it."""
    text = first_text(head)
    found = next((one for one in FORMATS if one.recognises(name.lower(), text)), None)
    return (found.channel, found.kind) if found else None
