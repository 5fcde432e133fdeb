"""WeChat Pay's words in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Advice, NoticeKind, Outcome
from payments.channels.meanings import Meaning, Reaction

TRADE_STATE: Final = MappingProxyType(
    {
        "SUCCESS": Outcome.SUCCEEDED,
        "REFUND": Outcome.SUCCEEDED,  # paid, and something of it went back later
        "NOTPAY": Outcome.ACTION_REQUIRED,
        "USERPAYING": Outcome.PENDING,
        "CLOSED": Outcome.CANCELLED,
        "REVOKED": Outcome.CANCELLED,
        # PAYERROR is not here: it does not say that the customer can not pay the same order again.
    }
)

REFUND_STATUS: Final = MappingProxyType(
    {
        "SUCCESS": Outcome.SUCCEEDED,
        "PROCESSING": Outcome.PENDING,
        "CLOSED": Outcome.ERRORED,
        # The customer's bank would not take it. It is finished by hand (apply-abnormal-refund, or in the
        # merchant platform) under the same number, so it is not over.
        "ABNORMAL": Outcome.PENDING,
    }
)

ABNORMAL: Final = "ABNORMAL"
# What a person must do about a refund in this state.
REFUND_WORDS: Final = MappingProxyType(
    {
        ABNORMAL: "The customer's bank did not take the refund. It has left our balance: finish it in WeChat Pay's "
        "merchant platform or by finish_abnormal_refund.",
        "CLOSED": "WeChat Pay closed the refund; the money is back on our balance.",
    }
)

EVENTS: Final = MappingProxyType(
    {
        "TRANSACTION.SUCCESS": NoticeKind.PAYMENT,
        "REFUND.SUCCESS": NoticeKind.REFUND,
        "REFUND.ABNORMAL": NoticeKind.REFUND,
        "REFUND.CLOSED": NoticeKind.REFUND,
    }
)

NOT_FOUND: Final = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
ALREADY_CLOSED: Final = frozenset({"ORDER_CLOSED", "ORDERCLOSED"})

Refusal = tuple[Outcome, Advice | None]
_MERCHANT_SIDE: Final[Refusal] = (Outcome.ERRORED, Advice.OTHER_METHOD)

# Not listed because they speak of an earlier order under the same number: INVALID_REQUEST, ORDERPAID,
# OUT_TRADE_NO_USED.
START: Final = MappingProxyType[str, Refusal](
    {
        "ACCOUNT_ERROR": _MERCHANT_SIDE,
        "APPID_MCHID_NOT_MATCH": _MERCHANT_SIDE,
        "FREQUENCY_LIMITED": (Outcome.ERRORED, Advice.TRY_AGAIN),
        "MCH_NOT_EXISTS": _MERCHANT_SIDE,
        "NOAUTH": _MERCHANT_SIDE,
        "NO_AUTH": _MERCHANT_SIDE,
        "OPENID_MISMATCH": _MERCHANT_SIDE,
        "ORDER_CLOSED": (Outcome.CANCELLED, Advice.TRY_AGAIN),
        "PARAM_ERROR": _MERCHANT_SIDE,
        "RATELIMIT_EXCEEDED": (Outcome.ERRORED, Advice.TRY_AGAIN),
        "RULE_LIMIT": _MERCHANT_SIDE,
        "RULELIMIT": _MERCHANT_SIDE,
        "SIGN_ERROR": _MERCHANT_SIDE,
        "TRADE_ERROR": _MERCHANT_SIDE,
    }
)

_REACTION: Final = MappingProxyType[tuple[Outcome, Advice | None], Reaction](
    {
        _MERCHANT_SIDE: Reaction.OTHER_CHANNEL,
        (Outcome.ERRORED, Advice.TRY_AGAIN): Reaction.RETRY_LATER,
        (Outcome.CANCELLED, Advice.TRY_AGAIN): Reaction.TRY_AGAIN,
    }
)
MEANINGS: Final = MappingProxyType(
    {code: Meaning(refusal[0], _REACTION[refusal]) for code, refusal in START.items()}
)

# INVALID_REQUEST is not listed: it may speak of this refund, accepted before. The refund itself is asked then.
REFUND: Final = MappingProxyType[str, Refusal](
    {
        "MCH_NOT_EXISTS": (Outcome.ERRORED, None),
        "NOT_ENOUGH": (Outcome.ERRORED, Advice.TRY_AGAIN),
        "NO_AUTH": (Outcome.ERRORED, None),
        "PARAM_ERROR": (Outcome.ERRORED, None),
        "RESOURCE_NOT_EXISTS": (Outcome.ERRORED, None),
        "SIGN_ERROR": (Outcome.ERRORED, None),
        "USER_ACCOUNT_ABNORMAL": (Outcome.ERRORED, None),
    }
)
INVALID_REQUEST: Final = "INVALID_REQUEST"
