import unicodedata
from collections.abc import Mapping

from django.db import transaction

from ledger.audit import attribute, record
from ledger.identifiers import MalformedIdentifier
from ledger.money import Money
from payments.errors import SavedMethodLimitInvalid, SavedMethodNotFound
from payments.models import CustomerVault, SavedMethod
from payments.vault import SavedMethodView, view_of

_LONGEST_LABEL = 60


def change_saved_method(
    *,
    method: str,
    customer: str,
    actor: str,
    label: str | None = None,
    is_default: bool = False,
    limits: Mapping[str, Money | None] | None = None,
) -> SavedMethodView:
    """This will give a kept card another name, make it the one that is offered first, or set its limits.

    `limits` are "single" (at once) and "daily" (in 24 hours), None for no limit; what is not given stays. Raises
    `SavedMethodNotFound`, `SavedMethodLimitInvalid`. Owns its transaction; locks the vault, then its cards.
    """
    with transaction.atomic(durable=True):
        attribute(actor=actor, reason="saved method")
        row = _locked(method, customer)
        if label is not None:
            row.label = _printable(label)[:_LONGEST_LABEL].strip()
        if limits is not None:
            _limit(row, limits)
        if is_default and not row.is_default:
            _become_default(row)
        row.store()
        return view_of(row)


def _locked(public_id: str, customer: str) -> SavedMethod:
    missing = SavedMethodNotFound(f"You keep no card {public_id[:40]!r}.")
    vault = CustomerVault.objects.of(customer).filter(erase_asked_at=None).locked().first()
    try:
        row = SavedMethod.objects.of(customer).by_public_id(public_id).locked().first()
    except MalformedIdentifier as error:
        raise missing from error
    if vault is None or row is None:
        raise missing
    return row


def _sensible(single: Money | None, daily: Money | None) -> None:
    given = [limit for limit in (single, daily) if limit is not None]
    if any(limit.minor <= 0 for limit in given):
        raise SavedMethodLimitInvalid("A limit is more than nothing; leave it out for none.", param="limits")
    if single and daily and (single.currency != daily.currency or daily.minor < single.minor):
        raise SavedMethodLimitInvalid(
            "The limit in 24 hours is in the same currency as the one at once, and not below it.",
            param="daily_limit",
        )


def _limit(row: SavedMethod, limits: Mapping[str, Money | None]) -> None:
    before = _told(row)
    single = limits.get("single", row.limit(row.single_limit))
    daily = limits.get("daily", row.limit(row.daily_limit))
    _sensible(single, daily)
    row.single_limit = single.minor if single else None
    row.daily_limit = daily.minor if daily else None
    either = single or daily
    row.limit_currency = either.currency if either else ""
    record(action="saved_method.limited", object_id=row.public_id, before=before, after=_told(row))


def _become_default(row: SavedMethod) -> None:
    for other in SavedMethod.objects.filter(vault=row.vault, is_default=True).locked():
        other.is_default = False
        other.store()
    row.is_default = True
    record(action="saved_method.made_default", object_id=row.public_id)


def _told(row: SavedMethod) -> dict[str, int | str | None]:
    return {"single": row.single_limit, "daily": row.daily_limit, "currency": row.limit_currency}


def _printable(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Cf"))
