from django.conf import settings
from django.db import transaction

from ledger.audit import attribute, record
from payments.breakers import breakers, close_breaker, open_breaker, probe_now
from payments.errors import InvalidChannelSwitch


def move_breaker(*, channel: str, method: str, do: str, actor: str, reason: str) -> None:
    """This will "probe", "close" or "open" the breaker of a channel for one method, as a person says.

    Only new payments are affected. Opens its own transaction, for the audit journal. Raises `InvalidChannelSwitch`.
    """
    if channel not in settings.PAYMENT_METHODS.get(method, ()) or do not in ("probe", "close", "open"):
        raise InvalidChannelSwitch("There is no such breaker, or it can not do that.", param="channel")
    pair = (channel, method)
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason=reason)
        before = breakers([pair])[pair].state
        record(action=f"breaker.{do}", object_id=f"{channel}:{method}", before=before, reason=reason)
    if do == "probe":
        probe_now(pair, by=actor)
    elif do == "close":
        close_breaker(pair, by=actor)
    else:
        open_breaker(pair, by=actor)
