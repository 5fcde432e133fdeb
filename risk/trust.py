"""How far a device is trusted, and what follows for a payment. Pure.

The score is the source document's (10.2, `calculateTrustScore`): "const weights = [0.2, 0.3, 0.2, 0.15, 0.15]" for
how long the device is in use (设备使用时长), consistent use (使用一致性), security features available (安全功能可用),
recent activity (近期活动) and a consistent place (地点一致性), each from 0 to 100 here.
A browser's fingerprint is what the browser says: it can lower trust and ask for a proof, never the reverse.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from risk.facts import PaymentFacts
from risk.operands import Field, Fields
from risk.rings import Ring
from risk.states import Action, ChallengeKind, EntityKind, Stage

UNKNOWN = -1  # what a rule reads as trust where there is no device
WEIGHTS = {"age": 20, "consistency": 30, "security": 20, "activity": 15, "place": 15}  # percent
FROZEN, UNVERIFIED = "device_frozen", "device_unverified"
# What shows that it is the customer who sits at a device: a bank knows its card's owner, a captcha nobody.
PROOFS = (ChallengeKind.PASSKEY, ChallengeKind.SMS, ChallengeKind.EMAIL)

_OLD_AFTER = timedelta(days=90)  # the whole of age
_USED_TO_AFTER = timedelta(days=30)  # the whole of consistency
_RECENT, _NOT_LONG_AGO = timedelta(days=7), timedelta(days=30)
_A_DAY = timedelta(days=1)
# A changed fingerprint is remembered: the next question comes from the same browser and would find it unchanged.
_CHANGE_LASTS = timedelta(days=7)
_STRANGE_FOR = timedelta(days=7)
_WHOLE = 100


def _told(name: str, unknown: int | bool) -> Field:
    return Field(type(unknown), lambda asked: asked.inputs.get("device", {}).get(name, unknown))


# What a rule may name as `device.…`; decisions from before know of no fingerprint and no trust.
FIELDS: Fields = {
    "known": Field(bool, lambda asked: bool(asked.facts["device"]["identifier"])),
    "is_new": Field(bool, lambda asked: asked.facts["device"]["is_new"]),
    "is_proxy": Field(bool, lambda asked: asked.facts["device"]["is_proxy"]),
    "ip_country": Field(str, lambda asked: asked.facts["device"]["ip_country"]),
    "trust": _told("trust", UNKNOWN),
    "verified": _told("verified", False),
    "is_fresh": _told("fresh", False),
    "fingerprint_known": Field(bool, lambda asked: bool(asked.inputs.get("device", {}).get("fingerprint"))),
    "fingerprint_changed": _told("changed", False),
    "fingerprint_missing": _told("missing", False),
    "fingerprint_devices": _told("twins", 0),
    "fingerprint_customers": _told("twin_customers", 0),
    "fingerprint_frozen": _told("twin_frozen", False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What the database knows of a payment's device. `fingerprint`, `home` and `verified_as` are keys: of what the
    browser tells now, told last, and told when the customer proved to sit there.

    `since`, `country` are the device's own; `used_…`, `refused_at` and `verified_…` this customer's with it.
    `had_others` says that the customer used another one before it. `twins` are other devices with the same
    fingerprint within seven days, `twin_customers` who used those.
    """

    fingerprint: str = ""
    home: str = ""
    since: datetime | None = None
    country: str = ""
    changed_at: datetime | None = None
    used_since: datetime | None = None
    used_last: datetime | None = None
    had_others: bool = False
    refused_at: datetime | None = None
    verified_at: datetime | None = None
    verified_as: str = ""
    frozen: bool = False
    frozen_reason: str = ""
    twins: int = 0
    twin_customers: int = 0
    twin_frozen: bool = False

    @property
    def is_verified(self) -> bool:
        """Whether the customer proved to sit there, in the browser that is there now."""
        return self.verified_at is not None and self.verified_as == self.fingerprint

    @property
    def has_lost_fingerprint(self) -> bool:
        return bool(self.home) and not self.fingerprint

    def is_fresh(self, now: datetime) -> bool:
        """Whether an account of longer standing is used from it since a few days only: a small order that is paid
        first does not make it known."""
        lately = self.used_since is not None and now - self.used_since < _STRANGE_FOR
        return lately and self.had_others and not self.is_verified

    def has_changed(self, now: datetime) -> bool:
        """Whether another browser tells of the same cookie, or did lately and nobody proved anything since."""
        if self.fingerprint and self.home and self.fingerprint != self.home:
            return not self.is_verified
        lately = self.changed_at is not None and now - self.changed_at < _CHANGE_LASTS
        return lately and not self.is_verified


def factors(facts: PaymentFacts, seen: Sighting, ring: Ring, now: datetime) -> dict[str, int]:
    """The five of the source document, each from 0 to 100."""
    return {
        "age": _share(seen.since, now, _OLD_AFTER),
        "consistency": _consistency(seen, ring, now),
        "security": 60 * seen.is_verified + 40 * (ChallengeKind.PASSKEY in facts.challenges),
        "activity": _activity(seen, now),
        "place": _place(facts, seen),
    }


def score(found: Mapping[str, int]) -> int:
    """From 0 to 100, rounded half up."""
    return (sum(WEIGHTS[name] * value for name, value in found.items()) + _WHOLE // 2) // _WHOLE


def inputs_of(facts: PaymentFacts, seen: Sighting, ring: Ring, now: datetime) -> dict[str, Any]:
    """What is stored with the decision; nothing of trust where there is no device."""
    told = {
        "fingerprint": seen.fingerprint,
        "changed": seen.has_changed(now),
        "missing": seen.has_lost_fingerprint,
        "fresh": seen.is_fresh(now),
        "verified": seen.is_verified,
        "frozen": seen.frozen,
        "frozen_reason": seen.frozen_reason,
        "twins": seen.twins,
        "twin_customers": seen.twin_customers,
        "twin_frozen": seen.twin_frozen,
    }
    if not facts.device.identifier:
        return told
    found = factors(facts, seen, ring, now)
    return {**told, "trust": score(found), "factors": found}


def frozen(inputs: Mapping[str, Any]) -> dict[str, str] | None:
    """Why the device can not pay; None when it can."""
    stored = inputs.get("device", {})
    return {"reason": stored["frozen_reason"]} if stored.get("frozen") else None


def grounds(
    inputs: Mapping[str, Any], amount_cny: int | None, verify_from: int
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Code, least action and parameters. A known customer proves to sit at a strange device from a sum on (0: never).

    What has no rate can not be compared, and is taken for more.
    """
    facts, stored = inputs["facts"], inputs.get("device", {})
    asked = verify_from and (amount_cny is None or amount_cny >= verify_from)
    known = facts["customer"]["reference"] and facts["customer"]["paid_orders"] > 0
    if not (asked and known and stored) or facts["stage"] != Stage.PAYMENT or stored["verified"]:
        return
    if facts["device"]["is_new"] or any(stored.get(sign) for sign in ("changed", "missing", "fresh")):
        yield UNVERIFIED, Action.CHALLENGE, {"trust": stored.get("trust", UNKNOWN)}


def _share(since: datetime | None, now: datetime, whole: timedelta) -> int:
    if since is None or since >= now:
        return 0
    return min(_WHOLE * (now - since) // whole, _WHOLE)


def _consistency(seen: Sighting, ring: Ring, now: datetime) -> int:
    """How long this customer uses it, in the same browser, and nobody else does."""
    if seen.has_changed(now) or seen.has_lost_fingerprint:
        return 0
    return max(_share(seen.used_since, now, _USED_TO_AFTER) - 25 * ring.shared.get(EntityKind.DEVICE, 0), 0)


def _activity(seen: Sighting, now: datetime) -> int:
    """A device that was first seen today was not active before."""
    if seen.used_last is None or seen.used_since is None or now - seen.used_since < _A_DAY:
        return 0
    if seen.refused_at is not None and now - seen.refused_at < _NOT_LONG_AGO:
        return 0
    quiet = now - seen.used_last
    return 100 if quiet < _RECENT else 50 if quiet < _NOT_LONG_AGO else 0


def _place(facts: PaymentFacts, seen: Sighting) -> int:
    if facts.device.is_proxy:
        return 0
    if not (facts.device.ip_country and seen.country):
        return 50
    return 100 if facts.device.ip_country == seen.country else 0
