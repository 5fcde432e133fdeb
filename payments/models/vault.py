"""What is kept of customers who wish it: tokens of their cards, sealed under keys of their own."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django_fsm import FSMModelMixin, transition

from ledger.audit import StateAudit
from ledger.fields import StateField
from ledger.identifiers import decode, encode, new_key
from ledger.money import Money
from payments.channels.contract import Instrument
from payments.models import envelope
from payments.states import SavedMethodState as S

_CHANGING = [
    "state",
    "sealed",
    "fingerprint",
    "brand",
    "last4",
    "country",
    "funding",
    "expires_on",
    "label",
    "is_default",
    "limit_currency",
    "single_limit",
    "daily_limit",
    "consent_ip",
    "last_used_at",
    "deleted_at",
    "forgotten_at",
    "next_try_at",
    "tries",
]


class CustomerVaultQuerySet(models.QuerySet["CustomerVault"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def of(self, customer: str) -> Self:
        """The customer's vault; one that was erased is nobody's."""
        return self.filter(customer=customer, erased_at=None)

    def under_old_keys(self, current: str) -> Self:
        return self.filter(erased_at=None).exclude(key_version=current)


class CustomerVault(models.Model):
    """`channels` maps a channel to the sealed name that it gave the customer. Without `salt` nothing here opens."""

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    customer = models.CharField(max_length=80)
    salt = models.BinaryField(default=envelope.new_salt, null=True)
    key_version = models.CharField(max_length=40, default=envelope.current_version)
    channels = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    erase_asked_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    objects = CustomerVaultQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["key_version"], condition=Q(erased_at=None), name="vault_key_version"),
            models.Index(
                fields=["erase_asked_at"],
                condition=Q(erase_asked_at__isnull=False, erased_at=None),
                name="vault_to_erase",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(erased_at=None), name="vault_one_per_customer"
            ),
            models.CheckConstraint(
                condition=Q(salt__isnull=False, erased_at=None)
                | Q(salt=None, channels={}, erased_at__isnull=False),
                name="vault_erased_has_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode("vlt", self.id)

    def store(self) -> None:
        self.save(update_fields=["salt", "key_version", "channels", "erase_asked_at", "erased_at"])

    def named_at(self, channel: str) -> str:
        """What the channel calls the customer; empty when it knows none. Raises `envelope.DoesNotOpen`."""
        sealed = self.channels.get(channel)
        return envelope.unseal(sealed, salt=self._salt, place=self._place(channel)) if sealed else ""

    def name_at(self, channel: str, token: str) -> None:
        self.channels[channel] = self.seal(token, self._place(channel))

    def take_key(self, version: str) -> None:
        """Seal what is here under another master key."""
        names = {channel: self.named_at(channel) for channel in self.channels}
        self.key_version = version
        for channel, token in names.items():
            self.name_at(channel, token)

    def erase(self) -> None:
        """For good: what was sealed can not be opened by anybody."""
        self.salt, self.channels, self.erased_at = None, {}, timezone.now()

    def seal(self, text: str, place: str) -> str:
        assert self._salt, "an erased vault keeps nothing"
        return envelope.seal(text, version=self.key_version, salt=self._salt, place=place)

    def unseal(self, sealed: str, place: str) -> str:
        return envelope.unseal(sealed, salt=self._salt, place=place)

    def blind(self, text: str) -> str:
        assert self._salt, "an erased vault keeps nothing"
        return envelope.blind(text, version=self.key_version, salt=self._salt)

    @property
    def _salt(self) -> bytes | None:
        return bytes(self.salt) if self.salt else None

    def _place(self, channel: str) -> str:
        return f"payments_customervault/channels.{channel}/{self.pk}/{self.customer}"


class SavedMethodQuerySet(models.QuerySet["SavedMethod"]):
    def locked(self) -> Self:
        return self.select_for_update(of=("self",)).order_by("pk")

    def by_public_id(self, public_id: str) -> Self:
        return self.filter(pk=decode("sm", public_id))

    def of(self, customer: str) -> Self:
        """What the customer may see: kept and not given up."""
        return self.filter(
            vault__customer=customer, vault__erased_at=None, state__in=[S.ACTIVE, S.EXPIRED]
        ).select_related("vault")

    def to_forget(self, open_attempts: models.QuerySet[Any]) -> Self:
        """Deleted here, still known at the channel; one that a call may have to repeat waits for that."""
        used = open_attempts.filter(saved_method=OuterRef("pk"))
        return self.filter(~Exists(used), state=S.DELETED, forgotten_at=None).select_related("vault")

    def claim_forgetting(self, open_attempts: models.QuerySet[Any], now: datetime, limit: int) -> list[Any]:
        """Those whose next try is due; each is given to one caller, by a conditional update."""
        due = self.to_forget(open_attempts).filter(next_try_at__lte=now).order_by("next_try_at")[:limit]
        return [
            method
            for method in due
            if self.filter(pk=method.pk, next_try_at=method.next_try_at).update(
                next_try_at=now + method.pause(), tries=method.tries + 1
            )
        ]


class SavedMethod(FSMModelMixin, models.Model):
    """One card of one customer, at the one channel that knows its token.

    It is PENDING from the customer's consent until a payment with it has succeeded. `sealed` holds the token and
    the channel's fingerprint of the card; `fingerprint` is the blind index of the latter.
    """

    id = models.UUIDField(primary_key=True, default=new_key, editable=False)
    vault = models.ForeignKey(CustomerVault, on_delete=models.PROTECT, related_name="methods")
    state = StateField(default=S.PENDING, choices=[(s, s) for s in S], protected=True)
    channel = models.CharField(max_length=20)
    sealed = models.TextField(blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    brand = models.CharField(max_length=30, blank=True)
    last4 = models.CharField(max_length=4, blank=True)
    country = models.CharField(max_length=2, blank=True)
    funding = models.CharField(max_length=20, blank=True)
    expires_on = models.CharField(max_length=7, blank=True)  # "2030-04"
    label = models.CharField(max_length=60, blank=True)
    is_default = models.BooleanField(default=False)
    limit_currency = models.CharField(max_length=3, blank=True)
    single_limit = models.BigIntegerField(null=True)  # minor units of `limit_currency`
    daily_limit = models.BigIntegerField(null=True)
    consent_version = models.CharField(max_length=20)
    consented_at = models.DateTimeField()
    consent_ip = models.CharField(max_length=45, blank=True)
    last_used_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)  # the channel knows the token no longer
    next_try_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedMethodQuerySet.as_manager()

    class Meta:
        ordering = ["-is_default", "-created_at"]
        triggers = [StateAudit("sm")]
        indexes = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(state=S.DELETED, forgotten_at=None),
                name="saved_method_to_forget",
            ),
            models.Index(fields=["created_at"], condition=Q(state=S.PENDING), name="saved_method_pending"),
            models.Index(fields=["expires_on"], condition=Q(state=S.ACTIVE), name="saved_method_expiry"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["vault"], condition=Q(is_default=True), name="saved_method_one_default"
            ),
            models.UniqueConstraint(
                fields=["vault", "channel", "fingerprint"],
                condition=Q(state__in=[S.ACTIVE, S.EXPIRED]) & ~Q(fingerprint=""),
                name="saved_method_card_once",
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(state__in=[S.ACTIVE, S.EXPIRED]),
                name="saved_method_default_is_kept",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[S.PENDING, S.ACTIVE, S.EXPIRED]) | ~Q(sealed=""),
                name="saved_method_kept_has_token",
            ),
            models.CheckConstraint(
                condition=(Q(single_limit=None) | Q(single_limit__gt=0))
                & (Q(daily_limit=None) | Q(daily_limit__gt=0))
                & (Q(single_limit=None, daily_limit=None) | ~Q(limit_currency="")),
                name="saved_method_limits_make_sense",
            ),
            models.CheckConstraint(
                condition=~Q(state=S.DELETED) | Q(deleted_at__isnull=False, next_try_at__isnull=False),
                name="saved_method_deleted_will_be_forgotten",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return encode("sm", self.id)

    def store(self) -> None:
        """Write all that may change after creation; the row must be locked."""
        self.save(update_fields=_CHANGING)

    @property
    def token(self) -> str:
        """What the channel charges; empty once it was forgotten. Raises `envelope.DoesNotOpen`."""
        return self.opened().get("token", "")

    def instrument(self) -> Instrument:
        """What may be known of the card, with what risk recognises it by, and without the token."""
        return Instrument(
            token="",
            brand=self.brand,
            last4=self.last4,
            country=self.country,
            funding=self.funding,
            fingerprint=self.opened().get("fingerprint", ""),
            expires_on=self.expires_on,
        )

    def limit(self, minor: int | None) -> Money | None:
        return None if minor is None else Money(minor, self.limit_currency)

    def pause(self) -> timedelta:
        return timedelta(seconds=min(3600, 10 * 2 ** min(self.tries, 9)))

    def keep_sealed(self, secret: Mapping[str, str]) -> None:
        """Seal token and fingerprint under the vault's key, at this row's place."""
        self.sealed = self.vault.seal(json.dumps(dict(secret)), self._place)
        self.fingerprint = self.vault.blind(secret["fingerprint"]) if secret.get("fingerprint") else ""

    def exchange_card(self, other: "SavedMethod") -> None:
        """Each takes the other's token and what is shown of it: this row is the card that the customer knows."""
        mine, theirs = self.opened(), other.opened()
        for name in ("brand", "last4", "country", "funding", "expires_on"):
            ours = getattr(self, name)
            setattr(self, name, getattr(other, name))
            setattr(other, name, ours)
        self.keep_sealed(theirs)
        other.keep_sealed(mine)

    def wipe(self) -> None:
        """What is left says that there was a card, and when, and no more."""
        self.sealed = self.fingerprint = self.brand = self.last4 = self.country = ""
        self.funding = self.expires_on = self.label = self.consent_ip = ""

    def note_forgotten(self) -> None:
        self.forgotten_at = timezone.now()
        self.sealed = self.fingerprint = ""

    def opened(self) -> dict[str, str]:
        """Token and fingerprint; nothing once they were forgotten. Raises `envelope.DoesNotOpen`."""
        if not self.sealed:
            return {}
        opened: dict[str, str] = json.loads(self.vault.unseal(self.sealed, self._place))
        return opened

    @property
    def _place(self) -> str:
        return f"payments_savedmethod/sealed/{self.pk}/{self.vault.customer}"

    @transition(field=state, source=S.PENDING, target=S.ACTIVE)
    def keep(self) -> None:
        """A payment with it has succeeded: the channel keeps it, too."""

    @transition(field=state, source=S.EXPIRED, target=S.ACTIVE)
    def renew(self) -> None:
        """The same card came with another date."""

    @transition(field=state, source=S.ACTIVE, target=S.EXPIRED)
    def expire(self) -> None:
        """The month on the card is over."""

    @transition(field=state, source=[S.PENDING, S.ACTIVE, S.EXPIRED], target=S.DELETED)
    def give_up(self) -> None:
        """It pays nothing from now on; the channel is told next."""
        self.is_default = False
        self.deleted_at = self.next_try_at = timezone.now()
