"""The channels that settings name, built once per process."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string

from payments.channels.contract import Capability, Channel, DisputeDesk, StatementSource
from payments.channels.meanings import Meaning
from payments.errors import ChannelNotFound, DisputeNotAnswerableHere


@cache
def channel(code: str) -> Channel:
    """The channel called `code`. Raises `ChannelNotFound`, also for one that has no credentials."""
    if code not in configured():
        raise ChannelNotFound(f"There is no channel {code[:40]!r}.", param="channel")
    configuration: Mapping[str, Any] = getattr(settings, code.upper())
    build = import_string(settings.CHANNELS[code])
    return cast(Channel, build({**configuration, "timeout_seconds": settings.CHANNEL_TIMEOUT_SECONDS}))


def statement_source(code: str) -> StatementSource:
    """The same channel, to fetch statements from: only of one with `Capability.STATEMENT`. Raises `ChannelNotFound`."""
    return cast(StatementSource, channel(code))


def dispute_desk(code: str) -> DisputeDesk:
    """The same channel, to answer disputes. Raises `DisputeNotAnswerableHere`, `ChannelNotFound`."""
    found = channel(code)
    if Capability.DISPUTE not in found.capabilities:
        raise DisputeNotAnswerableHere(
            f"Answer this dispute in the console of {code}; we can not do it from here."
        )
    return cast(DisputeDesk, found)


def configured() -> frozenset[str]:
    """Channels with credentials: those without are left out of every route."""
    credential = {
        "stripe": "secret_key",
        "alipay": "app_id",
        "wechat": "mchid",
        "unionpay": "mer_id",
        "ecny": "mch_id",
        "bank": "token",
        "crypto": "api_key",
    }
    return frozenset(code for code in settings.CHANNELS if getattr(settings, code.upper())[credential[code]])


def meanings(code: str) -> Mapping[str, Meaning]:
    """The channel's table of refusals to begin a payment; empty for a channel without one."""
    return _table(settings.CHANNELS[code].rsplit(".", 2)[0])


@cache
def _table(folder: str) -> Mapping[str, Meaning]:
    if find_spec(f"{folder}.codes") is None:
        return {}
    return getattr(import_module(f"{folder}.codes"), "MEANINGS", {})


def meaning(code: str, refusal: str) -> Meaning | None:
    """What the refusal means; a row that ends in "*" speaks of every code that begins so."""
    table = meanings(code)
    family = refusal.partition(".")[0] + ".*"
    return table.get(refusal) or table.get(family)


def notify_url(code: str) -> str:
    return f"{settings.NOTIFY_BASE_URL}/webhooks/{code}"
