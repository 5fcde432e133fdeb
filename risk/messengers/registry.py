"""Which messengers are configured."""

from django.conf import settings

from risk.messengers.contract import Messenger
from risk.messengers.email import Email
from risk.messengers.sms import Sms
from risk.states import ChallengeKind


def offered() -> frozenset[str]:
    """The kinds of code that can be sent here."""
    kinds = {ChallengeKind.EMAIL}
    if settings.SMS["api_base"] and settings.SMS["api_key"]:
        kinds.add(ChallengeKind.SMS)
    return frozenset(kinds)


def messenger(kind: str) -> Messenger:
    return Sms() if kind == ChallengeKind.SMS else Email()
