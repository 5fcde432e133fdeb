"""UnionPay's respCode in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction

OK: Final = "00"
NOT_FOUND: Final = "34"
DUPLICATE: Final = "12"
NO_FILE: Final = "98"

# txnType
PURCHASE: Final = "01"
HOLD: Final = "02"
COMPLETE_HOLD: Final = "03"
REFUND: Final = "04"
QUERY: Final = "00"
UNDO_PURCHASE: Final = "31"
UNDO_HOLD: Final = "32"
UNDO_COMPLETION: Final = "33"
FILE: Final = "76"

CURRENCIES: Final = MappingProxyType({"156": "CNY", "344": "HKD", "840": "USD", "978": "EUR"})
FUNDING: Final = MappingProxyType({"01": "debit", "02": "credit", "03": "prepaid"})

Result = tuple[Outcome, Advice | None]
_REQUEST_REFUSED: Final[Result] = (Outcome.ERRORED, Advice.OTHER_METHOD)
_OTHER_CARD: Final[Result] = (Outcome.DECLINED, Advice.OTHER_CARD)
_BANK: Final[Result] = (Outcome.DECLINED, Advice.CONTACT_BANK)
_AGAIN: Final[Result] = (Outcome.DECLINED, Advice.TRY_AGAIN)
_BEING_DONE: Final[Result] = (Outcome.PENDING, None)

# What became of an order, as `origRespCode` or as the respCode of its notice says.
RESULT: Final = MappingProxyType[str, Result](
    {
        "00": (Outcome.SUCCEEDED, None),
        "A6": (Outcome.SUCCEEDED, None),  # done, with a flaw that is UnionPay's to mend
        "01": _AGAIN,
        "03": _BEING_DONE,  # timed out on the way: ask
        "04": _BEING_DONE,  # not known yet: ask
        "05": _BEING_DONE,  # accepted: ask
        "10": _REQUEST_REFUSED,
        "11": _REQUEST_REFUSED,
        "13": _REQUEST_REFUSED,
        "30": _OTHER_CARD,
        "31": _REQUEST_REFUSED,
        "32": _REQUEST_REFUSED,
        "33": (Outcome.DECLINED, Advice.OTHER_METHOD),  # above a limit
        "35": _REQUEST_REFUSED,  # the order it refers to does not exist, or is not in a state for this
        "36": _REQUEST_REFUSED,  # does not fit the order it refers to
        "38": (Outcome.DECLINED, Advice.OTHER_METHOD),  # risk
        "39": _REQUEST_REFUSED,  # not at this time of day
        "43": _REQUEST_REFUSED,
        "44": _OTHER_CARD,
        "60": _BANK,
        "61": _OTHER_CARD,
        "62": _OTHER_CARD,
        "63": _BANK,
        "64": _OTHER_CARD,  # not enough money on it
        "65": _AGAIN,
        "66": _AGAIN,
        "67": _BANK,
        "68": _OTHER_CARD,
        "69": (Outcome.CANCELLED, Advice.TRY_AGAIN),  # the customer took too long
        "70": (Outcome.ACTION_REQUIRED, None),  # the customer is on UnionPay's page
        "71": _AGAIN,
        "72": _OTHER_CARD,
        "73": _OTHER_CARD,  # expired
        "77": _OTHER_CARD,
        "78": _OTHER_CARD,
    }
)

# The answer to a request that asks for something to be done: 00 only says that it was accepted.
ACCEPTED: Final = frozenset({"00", "A6", "03", "04", "05", DUPLICATE})
# Refused before anything was looked at, or because of what it refers to: nothing moved.
REFUSED: Final = frozenset({"10", "11", "13", "31", "32", "33", "35", "36", "38", "39", "43", "45", "46"})

# Of the refusals in `RESULT` those that another channel would not repeat.
_OURS: Final = frozenset({"10", "11", "13", "31", "32", "43"})
_LATER: Final = frozenset({"39"})


def _reaction(code: str, advice: Advice) -> Reaction:
    if code in _LATER:
        return Reaction.RETRY_LATER
    return Reaction.OTHER_CHANNEL if code in _OURS else Reaction(advice)


MEANINGS: Final = MappingProxyType(
    {
        code: Meaning(outcome, _reaction(code, advice))
        for code, (outcome, advice) in RESULT.items()
        if advice is not None
    }
)
