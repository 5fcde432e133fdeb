"""The words of risk: levels, actions, stages, lists, and the states of policies and cases. Pure."""

from enum import StrEnum


class Stage(StrEnum):
    ORDER = "order"  # light, before the order: only a rejection counts
    PAYMENT = "payment"  # full, before the channel is called


class Level(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Action(StrEnum):
    """In order of severity."""

    ACCEPT = "accept"
    CHALLENGE = "challenge"
    REVIEW = "review"
    REJECT = "reject"


SEVERITY = {action: position for position, action in enumerate(Action)}


class ListKind(StrEnum):
    """In order of authority: the first that matches decides."""

    FATAL = "fatal"  # rejects, and no white entry helps
    WHITE = "white"  # accepts, whatever limits and rules say
    BLACK = "black"  # rejects
    GREY = "grey"  # adds weight and asks for a challenge


class EntityKind(StrEnum):
    CUSTOMER = "customer"
    EMAIL = "email"
    CARD = "card"
    DEVICE = "device"
    IP = "ip"
    ADDRESS = "address"
    MERCHANT = "merchant"
    SKU = "sku"


class ChallengeKind(StrEnum):
    """How a customer proves to be the one who may pay."""

    THREE_D_SECURE = "three_d_secure"  # the card's bank asks
    PASSKEY = "passkey"
    EMAIL = "email"  # a code that is sent
    SMS = "sms"
    CAPTCHA = "captcha"  # work for the browser: stops machines, proves nobody


# The kinds that need a code sent.
BY_CODE = frozenset({ChallengeKind.EMAIL, ChallengeKind.SMS})


class ChallengeState(StrEnum):
    OPEN = "OPEN"
    PASSED = "PASSED"
    FAILED = "FAILED"  # too many wrong answers
    ENDED = "ENDED"  # the time was over, or the customer went another way


class CodeState(StrEnum):
    SENT = "SENT"  # about to be, or just being handed to the messenger
    TAKEN = "TAKEN"  # the messenger has it
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


class PolicyState(StrEnum):
    DRAFT = "DRAFT"
    SHADOW = "SHADOW"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class CaseState(StrEnum):
    OPEN = "OPEN"
    ASSIGNED = "ASSIGNED"
    ESCALATED = "ESCALATED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


# A person may still decide.
LIVE_CASE = frozenset({CaseState.OPEN, CaseState.ASSIGNED, CaseState.ESCALATED})
