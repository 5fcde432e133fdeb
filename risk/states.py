"""The words of risk: levels, actions, lists, outcomes; states of policies, roll-outs, models and cases. Pure."""

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


# Nothing is stronger than these: two people put an entry there.
BY_TWO = (ListKind.FATAL, ListKind.WHITE)


class ListChangeKind(StrEnum):
    ADD = "add"
    FILE = "file"
    END = "end"  # of a fatal entry; to end trust takes one person


class ListChangeState(StrEnum):
    WAITING = "WAITING"  # for a second person; decisions do not see it
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"  # by a second person, or taken back


class EntityKind(StrEnum):
    CUSTOMER = "customer"
    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    DEVICE = "device"
    IP = "ip"
    NETWORK = "network"  # the part of an IP address that says whence
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


class ModelState(StrEnum):
    CHALLENGER = "CHALLENGER"
    CHAMPION = "CHAMPION"
    RETIRED = "RETIRED"


class OutcomeKind(StrEnum):
    """How it was heard of that a payment was a fraud, or none."""

    DISPUTE = "dispute"
    REVIEW = "review"
    REFUND = "refund"
    MANUAL = "manual"


class Must(StrEnum):
    """What is expected of a policy's answer to one payment."""

    ACTION = "action"  # it is this one
    HIT = "hit"  # this rule fires
    MISS = "miss"  # this rule does not


class RollOutState(StrEnum):
    RUNNING = "RUNNING"
    FINISHED = "FINISHED"  # a person ended it, or its policy decides for everybody
    STOPPED = "STOPPED"  # it ended itself: its budget of false positives was spent


class BackTestState(StrEnum):
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class AdviceState(StrEnum):
    """Of the note that a language model writes."""

    WAITING = "WAITING"
    WRITTEN = "WRITTEN"
    REFUSED = "REFUSED"  # what came back did not pass the checks
    FAILED = "FAILED"  # nothing came back


class CaseKind(StrEnum):
    HOLD = "hold"  # a payment waits
    SAMPLE = "sample"  # of those that were accepted
    SECOND = "second"  # of those that a person decided: another says the same, or not


class CaseState(StrEnum):
    OPEN = "OPEN"
    ASSIGNED = "ASSIGNED"
    ESCALATED = "ESCALATED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CHALLENGED = "CHALLENGED"  # the reviewer had the customer asked: the answer decides


# A person may still decide.
LIVE_CASE = frozenset({CaseState.OPEN, CaseState.ASSIGNED, CaseState.ESCALATED})
