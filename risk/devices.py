"""Reads about devices: for the console, for customers' own pages, and for what ends or begins a freeze."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from ledger.identifiers import MalformedIdentifier, decode
from ledger.sentences import Sentence
from risk.errors import DeviceNotFound
from risk.models import Decision, Device, Freeze, Tie
from risk.models.lists import key_of
from risk.selectors import DecisionView, decision_view
from risk.states import EntityKind

_KNOWN_AFTER = timedelta(days=1)
_MOST, _FEW = 50, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FreezeView:
    """`for_customer` holds for one customer only, who began it. `ended_by` is empty while it stands."""

    id: str
    for_customer: bool
    reason: str
    created_by: str
    created_at: datetime
    ended_by: str
    ended_at: datetime | None
    end_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """`frozen` is why nobody, or the customer who looks, can pay from it ("" when they can); `verified_at` theirs."""

    id: str
    label: str
    country: str
    fingerprint: str
    first_at: datetime
    last_at: datetime
    changed_at: datetime | None
    frozen: str
    frozen_by: str
    verified_at: datetime | None = None
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UseView:
    """One customer's use of a device; `customer` is a part of the key."""

    customer: str
    first_at: datetime
    last_at: datetime
    verified_at: datetime | None
    refused_at: datetime | None
    fraud_at: datetime | None


def customer_key(customer: str) -> str:
    return key_of(EntityKind.CUSTOMER, customer) if customer else ""


def find(device: str, *, customer: str = "") -> Device:
    """The device; with `customer`, one that they were seen with. Raises `DeviceNotFound`."""
    try:
        row = Device.objects.by_public_id(device).first()
    except MalformedIdentifier:
        row = None
    if row is None or (customer and not _ties(customer_key(customer), row.device_key).exists()):
        raise DeviceNotFound(Sentence("There is no such device."), param="device")
    return row


def device(public_id: str) -> DeviceView:
    """As an operator sees it. Raises `DeviceNotFound`."""
    return _views([find(public_id)], "")[0]


def devices(*, frozen: bool = False, query: str = "") -> list[DeviceView]:
    """The latest, or those that are frozen, or the one that is asked for."""
    rows = Device.objects.order_by("-last_at")
    if query:
        try:
            rows = rows.filter(pk=decode("dev", query.strip()))
        except MalformedIdentifier:
            return []
    if frozen:
        rows = rows.filter(device_key__in=Freeze.objects.standing().values("device_key"))
    return _views(list(rows[:_MOST]), "")


def of_customer(customer: str, *, here: str) -> list[DeviceView]:
    """The customer's own, the latest first; `here` is the cookie's value of the one that asks."""
    key = customer_key(customer)
    ties = Tie.objects.filter(customer_key=key, entity=EntityKind.DEVICE).order_by("-last_at")[:_MOST]
    verified = {tie.entity_key: tie.verified_at for tie in ties}
    rows = Device.objects.filter(device_key__in=list(verified)).order_by("-last_at")
    return _views(list(rows), key, verified=verified, here=key_of(EntityKind.DEVICE, here) if here else "")


def of_decision(dec_id: str) -> DeviceView | None:
    """The device that asked, if one did. Raises `MalformedIdentifier`."""
    key = Decision.objects.filter(pk=decode("dec", dec_id)).values_list("device_key", flat=True).first()
    row = Device.objects.filter(device_key=key).first() if key else None
    return _views([row], "")[0] if row else None


def freezes_of(public_id: str) -> list[FreezeView]:
    """What was frozen and thawed, the newest first. Raises `DeviceNotFound`."""
    rows = Freeze.objects.filter(device_key=find(public_id).device_key).order_by("-created_at")[:_MOST]
    return [
        FreezeView(
            id=row.public_id,
            for_customer=bool(row.customer_key),
            reason=row.reason,
            created_by=row.created_by,
            created_at=row.created_at,
            ended_by=row.ended_by,
            ended_at=row.ended_at,
            end_reason=row.end_reason,
        )
        for row in rows
    ]


def used_by(public_id: str) -> list[UseView]:
    """Who was seen with it, the latest first. Raises `DeviceNotFound`."""
    ties = Tie.objects.filter(entity_key=find(public_id).device_key).order_by("-last_at")[:_MOST]
    return [
        UseView(
            customer=tie.customer_key[:8],
            first_at=tie.first_at,
            last_at=tie.last_at,
            verified_at=tie.verified_at,
            refused_at=tie.refused_at,
            fraud_at=tie.fraud_at,
        )
        for tie in ties
    ]


def decisions_on(public_id: str, *, locale: str = "en") -> list[DecisionView]:
    """The latest on payments from it. Raises `DeviceNotFound`."""
    rows = Decision.objects.filter(device_key=find(public_id).device_key).select_related("policy")
    return [decision_view(row, locale) for row in rows.order_by("-happened_at")[:_FEW]]


def twins_of(public_id: str) -> list[DeviceView]:
    """Other devices whose browser tells the same fingerprint. Raises `DeviceNotFound`."""
    row = find(public_id)
    if not row.fingerprint_key:
        return []
    same = Device.objects.filter(fingerprint_key=row.fingerprint_key).exclude(pk=row.pk)
    return _views(list(same.order_by("-last_at")[:_MOST]), "")


def is_frozen(device_key: str, customer_key: str) -> bool:
    """Whether this customer can not pay from the device of these keys."""
    names = {"", customer_key}
    return Freeze.objects.standing().filter(device_key=device_key, customer_key__in=names).exists()


def may_thaw(row: Device, *, customer: str, asked_from: str) -> bool:
    """Whether a customer asks from another device, which they have used for a day or proved to sit at."""
    here, me = key_of(EntityKind.DEVICE, asked_from) if asked_from else "", customer_key(customer)
    if here in ("", row.device_key) or is_frozen(here, me):
        return False
    known = Q(first_at__lte=timezone.now() - _KNOWN_AFTER) | Q(verified_at__isnull=False)
    return _ties(me, here).filter(known).exists()


def _ties(customer_key: str, device_key: str) -> QuerySet[Tie]:
    return Tie.objects.filter(customer_key=customer_key, entity_key=device_key)


def _views(
    rows: Sequence[Device],
    customer_key: str,
    *,
    verified: Mapping[str, datetime | None] | None = None,
    here: str = "",
) -> list[DeviceView]:
    """The customer sees what they froze before what we did."""
    names = {"", customer_key}
    standing = Freeze.objects.standing().filter(
        device_key__in=[row.device_key for row in rows], customer_key__in=names
    )
    frozen = {freeze.device_key: freeze for freeze in standing.order_by("customer_key")}
    return [
        DeviceView(
            id=row.public_id,
            label=row.label,
            country=row.country,
            fingerprint=row.fingerprint_key[:8],
            first_at=row.first_at,
            last_at=row.last_at,
            changed_at=row.changed_at,
            frozen=frozen[row.device_key].reason if row.device_key in frozen else "",
            frozen_by=frozen[row.device_key].created_by if row.device_key in frozen else "",
            verified_at=(verified or {}).get(row.device_key),
            here=row.device_key == here,
        )
        for row in rows
    ]
