"""Reads: the cards that customers keep, as frozen dataclasses without a token."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ledger.identifiers import MalformedIdentifier
from ledger.invariants import Finding
from ledger.money import Money
from payments.channels.contract import Instrument
from payments.errors import SavedMethodNotFound
from payments.models import CustomerVault, SavedMethod
from payments.models.envelope import DoesNotOpen
from payments.states import SavedMethodState

_SHOWN = 50
_CHUNK = 2000


@dataclass(frozen=True, slots=True)
class SavedMethodView:
    """`masked` is all that is ever shown of a number: "•••• 4242"."""

    id: str
    state: SavedMethodState
    channel: str
    brand: str
    last4: str
    country: str
    funding: str
    expires_on: str
    label: str
    is_default: bool
    single_limit: Money | None
    daily_limit: Money | None
    consented_at: datetime
    last_used_at: datetime | None
    created_at: datetime

    @property
    def masked(self) -> str:
        return f"•••• {self.last4}"

    @property
    def usable(self) -> bool:
        return self.state == SavedMethodState.ACTIVE


def saved_methods_of(customer: str) -> list[SavedMethodView]:
    """What `customer` keeps: the default first, then the newest."""
    if not customer:
        return []
    rows = SavedMethod.objects.of(customer).filter(vault__erase_asked_at=None)
    return [view_of(row) for row in rows[:_SHOWN]]


def saved_method(public_id: str, customer: str) -> SavedMethodView:
    """Raises `SavedMethodNotFound`, for another customer's just as for one that never was."""
    return view_of(_of_customer(public_id, customer))


def card_of(public_id: str, customer: str) -> tuple[str, Instrument]:
    """The channel that a kept card is bound to, and what risk may know of it. Raises `SavedMethodNotFound`."""
    row = _of_customer(public_id, customer)
    try:
        return row.channel, row.instrument()
    except DoesNotOpen as error:
        raise _missing(public_id) from error


def _of_customer(public_id: str, customer: str) -> SavedMethod:
    try:
        mine = SavedMethod.objects.of(customer).filter(vault__erase_asked_at=None)
        row = mine.by_public_id(public_id).first()
    except MalformedIdentifier as error:
        raise _missing(public_id) from error
    if row is None or not customer:
        raise _missing(public_id)
    return row


def _missing(public_id: str) -> SavedMethodNotFound:
    return SavedMethodNotFound(f"You keep no card {public_id[:40]!r}.", param="saved_method")


def left_under_old_keys(current: str) -> int:
    return CustomerVault.objects.under_old_keys(current).count()


def unopenable(name: str) -> Iterator[Finding]:
    """Every envelope that a known key does not open at its place, or whose blind index is another card's."""
    for vault in CustomerVault.objects.order_by("pk").iterator(chunk_size=_CHUNK):
        for channel in vault.channels:
            try:
                vault.named_at(channel)
            except DoesNotOpen as error:
                yield Finding(name, vault.public_id, f"its name at {channel} does not open: {error}")
    for method in (
        SavedMethod.objects.exclude(sealed="")
        .select_related("vault")
        .order_by("pk")
        .iterator(chunk_size=_CHUNK)
    ):
        try:
            secret = method.opened()
        except DoesNotOpen as error:
            yield Finding(name, method.public_id, f"its token does not open: {error}")
            continue
        expected = method.vault.blind(secret["fingerprint"]) if secret.get("fingerprint") else ""
        if method.fingerprint != expected:
            yield Finding(name, method.public_id, "its blind index is another card's")


def view_of(row: SavedMethod) -> SavedMethodView:
    return SavedMethodView(
        id=row.public_id,
        state=SavedMethodState(row.state),
        channel=row.channel,
        brand=row.brand,
        last4=row.last4,
        country=row.country,
        funding=row.funding,
        expires_on=row.expires_on,
        label=row.label,
        is_default=row.is_default,
        single_limit=row.limit(row.single_limit),
        daily_limit=row.limit(row.daily_limit),
        consented_at=row.consented_at,
        last_used_at=row.last_used_at,
        created_at=row.created_at,
    )
