from datetime import timedelta

from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.channels.contract import Instrument
from payments.errors import InstrumentInvalid, SavedMethodExpired, SavedMethodLimit, SavedMethodNotFound
from payments.facts import PaymentIntent
from payments.models import Attempt, CustomerVault, SavedMethod
from payments.states import SavedMethodState

# Which text the customer agreed to, by the day it was written.
CONSENT_VERSION = "2026-11-21"
_DAY = timedelta(hours=24)


def claim_instrument(
    *, intent: PaymentIntent, channel: str, instrument: Instrument | None
) -> SavedMethod | None:
    """This will give a try the kept card that it may charge, or the one that shall be kept if it succeeds.

    An operation: needs an open transaction and the payment's lock; locks the kept card until its try is stored, so
    that two at once count each other. Raises `SavedMethodNotFound`, `SavedMethodExpired`, `SavedMethodLimit`,
    `InstrumentInvalid`.
    """
    assert connection.in_atomic_block, "claim_instrument() is an operation"
    if intent.saved_method:
        return _kept(intent)
    if intent.keep_instrument and instrument is not None:
        return _to_keep(intent, channel, instrument)
    return None


def _kept(intent: PaymentIntent) -> SavedMethod:
    missing = SavedMethodNotFound("This card is not kept any more; choose another.", param="saved_method")
    try:
        of_customer = SavedMethod.objects.of(intent.customer).by_public_id(intent.saved_method)
        method = of_customer.locked().first()
    except MalformedIdentifier as error:
        raise missing from error
    if method is None or method.vault.erase_asked_at:
        raise missing
    if method.state == SavedMethodState.EXPIRED:
        raise SavedMethodExpired("This card has expired; enter its successor.", param="saved_method")
    _within_limits(method, intent.amount)
    method.last_used_at = timezone.now()
    method.store()
    return method


def _within_limits(method: SavedMethod, amount: Money) -> None:
    single, daily = method.limit(method.single_limit), method.limit(method.daily_limit)
    if single is None and daily is None:
        return
    if amount.currency != method.limit_currency:
        raise SavedMethodLimit(
            f"This card has a limit in {method.limit_currency}; choose another card.", param="saved_method"
        )
    if single is not None and amount.minor > single.minor:
        raise SavedMethodLimit(
            f"This card pays at most {single.formatted()} at once; choose another card.", param="saved_method"
        )
    if daily is not None and amount.minor > daily.minor - _spent(method):
        raise SavedMethodLimit(
            f"This card pays at most {daily.formatted()} in 24 hours; choose another card.",
            param="saved_method",
        )


def _spent(method: SavedMethod) -> int:
    """Minor units that tries of the last 24 hours took, hold or may still take."""
    tries = Attempt.objects.may_bring_money().filter(
        saved_method=method, currency=method.limit_currency, created_at__gt=timezone.now() - _DAY
    )
    return tries.aggregate(sum=Sum("amount"))["sum"] or 0


def _to_keep(intent: PaymentIntent, channel: str, instrument: Instrument) -> SavedMethod:
    vault = CustomerVault.objects.of(intent.customer).filter(erase_asked_at=None).locked().first()
    if vault is None or channel not in vault.channels:
        raise InstrumentInvalid("This card can not be kept; pay without keeping it.", param="keep_instrument")
    method = SavedMethod(
        vault=vault,
        channel=channel,
        brand=instrument.brand[:30],
        last4=instrument.last4[-4:],
        country=instrument.country[:2],
        funding=instrument.funding[:20],
        expires_on=instrument.expires_on[:7],
        consent_version=CONSENT_VERSION,
        consented_at=timezone.now(),
        consent_ip=intent.client_ip,
    )
    method.keep_sealed({"token": intent.instrument, "fingerprint": instrument.fingerprint})
    method.save(force_insert=True)
    return method
