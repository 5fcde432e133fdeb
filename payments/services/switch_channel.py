from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction

from ledger.audit import attribute, record
from ledger.money import UnknownCurrency, exponent
from payments import routes
from payments.errors import InvalidChannelSwitch
from payments.models import ChannelSwitch
from payments.models.routing import SETTABLE


def switch_channel(*, channel: str, method: str, changes: Mapping[str, Any], actor: str, reason: str) -> None:
    """This will set what `changes` names of the channel, for one method or ("") for all, from the next payments on.

    `changes` may name on, weight (None: as the settings prefer), currencies, countries, bounds (currency to least and
    most, minor units) and fees (bps, and fixed minor units by currency); the rest stays. Payments that were begun are
    finished where they are. Opens its own transaction; the audit journal keeps before and after. Raises
    `InvalidChannelSwitch`.
    """
    if channel not in settings.CHANNELS or (
        method and channel not in settings.PAYMENT_METHODS.get(method, ())
    ):
        raise InvalidChannelSwitch(
            f"{channel[:20]} does not serve {method[:20] or 'anything'}.", param="channel"
        )
    _check(changes)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        ChannelSwitch.objects.get_or_create(channel=channel, method=method, defaults={"updated_by": actor})
        row = ChannelSwitch.objects.locked().get(channel=channel, method=method)
        before = row.says()
        for name, value in changes.items():
            setattr(row, name, value)
        row.updated_by = actor
        row.save(update_fields=[*SETTABLE, "updated_by", "updated_at"])
        record(action="channelswitch.set", object_id=row.public_id, before=before, after=row.says())
    routes.forget()


def _check(changes: Mapping[str, Any]) -> None:
    checks = {
        "on": lambda value: isinstance(value, bool),
        "weight": lambda value: value is None or _whole(value, 1000),
        "currencies": lambda value: isinstance(value, list) and all(map(_is_currency, value)),
        "countries": lambda value: isinstance(value, list) and all(map(_is_country, value)),
        "bounds": _are_bounds,
        "fees": _are_fees,
    }
    for name, value in changes.items():
        if name not in checks or not checks[name](value):
            raise InvalidChannelSwitch(f"This can not be what a channel's {name[:20]} is.", param=name[:20])


def _are_bounds(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    for currency, bounds in value.items():
        if not _is_currency(currency) or not isinstance(bounds, dict) or set(bounds) - {"least", "most"}:
            return False
        if not all(_whole(each, 10**15) for each in bounds.values()):
            return False
    return True


def _are_fees(value: Any) -> bool:
    if (
        not isinstance(value, dict)
        or set(value) - {"bps", "fixed"}
        or not _whole(value.get("bps", 0), 10_000)
    ):
        return False
    fixed = value.get("fixed", {})
    return isinstance(fixed, dict) and all(_is_currency(c) and _whole(v, 10**9) for c, v in fixed.items())


def _whole(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _is_currency(value: Any) -> bool:
    try:
        exponent(str(value))
    except (UnknownCurrency, ValueError):
        return False
    return True


def _is_country(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 2 and value.isascii() and value.isupper()
