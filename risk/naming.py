"""How facts call a person's e-mail address, phone and door, so that whoever lists them means the same. Pure.

Facts carry a hash of what is personal; lists and counts keep a keyed hash of that.
"""

import hashlib
import re
from ipaddress import ip_address, ip_network

import phonenumbers

from ledger.sentences import Sentence
from risk.errors import InvalidListEntry
from risk.features import text
from risk.states import EntityKind

_HASH = re.compile(r"[0-9a-f]{64}")
_CARD_NUMBER = re.compile(r"[0-9]{13,19}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_CUSTOMER = re.compile(r"cus_[0-9A-Za-z_-]{1,60}")


def email_name(email: str) -> str:
    return _hash(email.strip().lower())


def phone_name(phone: str, country: str = "") -> str:
    """The same for the same number, however it is written; empty for what is none."""
    if not phone:
        return ""
    try:
        number = phonenumbers.parse(phone, country or None)
    except phonenumbers.NumberParseException:
        return ""
    return _hash(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def address_name(*, country: str, postal_code: str, city: str, line1: str) -> str:
    """The same for the same door, whoever the parcel is for and however it is spaced and capitalised."""
    place = (country, postal_code, city, line1)
    return _hash("|".join("".join(part.casefold().split()) for part in place))


def told(entity: str, value: str) -> str:
    """What facts would say of `value`, as a person writes it. Raises `InvalidListEntry` (param: value).

    E-mail addresses, phones and doors may also be given as the hash that facts carry.
    """
    plain = value.strip()
    most = 400 if entity == EntityKind.ADDRESS else 128
    if not plain or text(plain, most) != plain:
        raise _wrong(
            Sentence("Give a value of at most %(most)s characters, all of which can be seen.", most=most)
        )
    match entity:
        case EntityKind.EMAIL | EntityKind.PHONE | EntityKind.ADDRESS:
            return plain if _HASH.fullmatch(plain) else _personal(entity, plain)
        case EntityKind.IP:
            return _ip(plain)
        case EntityKind.NETWORK:
            return _network(plain)
        case EntityKind.CUSTOMER if not _CUSTOMER.fullmatch(plain):
            raise _wrong(Sentence("A customer is named as cus_ and what follows."))
        case EntityKind.CARD if _CARD_NUMBER.fullmatch(re.sub("[ -]", "", plain)):
            raise _wrong(
                Sentence(
                    "This looks like a card's number, which must not be here: give the card's fingerprint."
                )
            )
    return plain


def shown(entity: str, value: str) -> str:
    """What of `value` an operator may read."""
    plain = value.strip()
    match entity:
        case EntityKind.EMAIL if "@" in plain:
            name, _, domain = plain.partition("@")
            return text(f"{name[:1]}•••@{domain}", 80)
        case EntityKind.PHONE if not _HASH.fullmatch(plain):
            return f"•••{plain[-4:]}"
        case EntityKind.NETWORK | EntityKind.MERCHANT | EntityKind.SKU:
            return text(plain, 80)
    return ""


def _personal(entity: str, plain: str) -> str:
    if entity == EntityKind.EMAIL and _EMAIL.fullmatch(plain):
        return email_name(plain)
    if entity == EntityKind.PHONE and plain.startswith("+") and (name := phone_name(plain)):
        return name
    if entity == EntityKind.ADDRESS and plain.count("|") == 3:
        country, postal_code, city, line1 = plain.split("|")
        return address_name(country=country, postal_code=postal_code, city=city, line1=line1)
    said = {
        EntityKind.EMAIL: Sentence("Write an e-mail address such as name@example.com."),
        EntityKind.PHONE: Sentence("Write a phone number with its country, such as +86 138 0013 8000."),
    }
    door = Sentence("Write a door as country|postal code|city|first line.")
    raise _wrong(said.get(EntityKind(entity), door))


def _ip(plain: str) -> str:
    try:
        return str(ip_address(plain))
    except ValueError as problem:
        raise _wrong(Sentence("Write an IP address such as 203.0.113.7.")) from problem


def _network(plain: str) -> str:
    try:
        found = ip_network(plain)
    except ValueError as problem:
        raise _wrong(Sentence("Write a network such as 203.0.113.0/24.")) from problem
    if found.prefixlen != (24 if found.version == 4 else 48):
        raise _wrong(Sentence("Networks are known by /24, or /48 of IPv6: write those."))
    return str(found)


def _wrong(said: Sentence) -> InvalidListEntry:
    return InvalidListEntry(said, param="value")


def _hash(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()
