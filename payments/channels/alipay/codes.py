"""Alipay's words in ours, as data. What is not listed is not proven: it stays UNKNOWN."""

from types import MappingProxyType
from typing import Final

from payments.channels.contract import Advice, Outcome
from payments.channels.meanings import Meaning, Reaction

OK: Final = "10000"
BUSINESS_FAILED: Final = "40004"
TRADE_NOT_EXIST: Final = "ACQ.TRADE_NOT_EXIST"
# The gateway could not say anything now: not available, or asked too often.
BUSY: Final = frozenset({"20000", "40005"})
# A bill was asked for, and the asking failed: nothing is said about the bill.
BILL_LATER: Final = frozenset({"isp.unknow-error", "isp.system-error", "isp.busy", "ACQ.SYSTEM_ERROR"})

# The gateway itself refused the call: nothing was looked at, nothing moved.
GATEWAY_REFUSALS: Final = frozenset({"20001", "40001", "40002", "40003", "40006"})

TRADE_STATUS: Final = MappingProxyType(
    {
        "WAIT_BUYER_PAY": Outcome.ACTION_REQUIRED,
        "TRADE_SUCCESS": Outcome.SUCCEEDED,
        "TRADE_FINISHED": Outcome.SUCCEEDED,  # paid, and too long ago to be refunded
        "TRADE_CLOSED": Outcome.CANCELLED,  # unless it was paid: a wholly refunded trade is closed too
    }
)

Refusal = tuple[Outcome, Advice | None]
_MERCHANT_SIDE: Final[Refusal] = (Outcome.ERRORED, Advice.OTHER_METHOD)
_BUYER_SIDE: Final[Refusal] = (Outcome.DECLINED, Advice.OTHER_METHOD)
_UNCLEAR: Final[Refusal] = (Outcome.UNKNOWN, None)

# sub_code of 40004 when a QR code was asked for. A refusal gives no code, so there is nothing to pay; the
# exceptions are codes that speak of an earlier request under the same number.
START: Final = MappingProxyType[str, Refusal](
    {
        "ACQ.ACCESS_FORBIDDEN": _MERCHANT_SIDE,
        "ACQ.BUYER_SELLER_EQUAL": (Outcome.DECLINED, Advice.STOP),
        "ACQ.CONTEXT_INCONSISTENT": _UNCLEAR,
        "ACQ.BEYOND_PAY_RESTRICTION": _MERCHANT_SIDE,
        "ACQ.BUYER_BALANCE_NOT_ENOUGH": _BUYER_SIDE,
        "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH": _BUYER_SIDE,
        "ACQ.BUYER_ENABLE_STATUS_FORBID": _BUYER_SIDE,
        "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR": _BUYER_SIDE,
        "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR": _BUYER_SIDE,
        "ACQ.CURRENCY_NOT_SUPPORT": _MERCHANT_SIDE,
        "ACQ.ERROR_BALANCE_PAYMENT_DISABLE": _BUYER_SIDE,
        "ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT": _BUYER_SIDE,
        "ACQ.ERROR_SELLER_CERTIFY_LEVEL_LIMIT": _MERCHANT_SIDE,
        "ACQ.EXIST_FORBIDDEN_WORD": _MERCHANT_SIDE,
        "ACQ.INVALID_PARAMETER": _MERCHANT_SIDE,
        "ACQ.INVALID_RECEIVE_ACCOUNT": _MERCHANT_SIDE,
        "ACQ.INVALID_STORE_ID": _MERCHANT_SIDE,
        "ACQ.PARTNER_ERROR": _MERCHANT_SIDE,
        "ACQ.PAYMENT_FAIL": _UNCLEAR,
        "ACQ.PAYMENT_REQUEST_HAS_RISK": (Outcome.DECLINED, Advice.STOP),
        "ACQ.PRODUCT_AMOUNT_LIMIT_ERROR": _MERCHANT_SIDE,
        "ACQ.RESTRICTED_MERCHANT_INDUSTRY": _MERCHANT_SIDE,
        "ACQ.RISK_MERCHANT_IP_NOT_EXIST": _MERCHANT_SIDE,
        "ACQ.SELLER_BEEN_BLOCKED": _MERCHANT_SIDE,
        "ACQ.SELLER_NOT_EXIST": _MERCHANT_SIDE,
        "ACQ.SUBJECT_REQUIRED": _MERCHANT_SIDE,
        "ACQ.SYSTEM_ERROR": _UNCLEAR,
        "ACQ.TOTAL_FEE_EXCEED": _MERCHANT_SIDE,
        "ACQ.TRADE_BUYER_NOT_MATCH": _UNCLEAR,
        "ACQ.TRADE_HAS_CLOSE": (Outcome.CANCELLED, Advice.TRY_AGAIN),
        "ACQ.TRADE_HAS_SUCCESS": _UNCLEAR,
    }
)

_REACTION: Final = MappingProxyType[Refusal, Reaction](
    {
        _MERCHANT_SIDE: Reaction.OTHER_CHANNEL,
        _BUYER_SIDE: Reaction.OTHER_METHOD,
        (Outcome.DECLINED, Advice.STOP): Reaction.STOP,
        (Outcome.CANCELLED, Advice.TRY_AGAIN): Reaction.TRY_AGAIN,
        _UNCLEAR: Reaction.RETRY_LATER,
    }
)
MEANINGS: Final = MappingProxyType(
    {
        **{code: Meaning(refusal[0], _REACTION[refusal]) for code, refusal in START.items()},
        # the gateway turned us away: signature, application or authorisation is not in order
        "isv.*": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "aop.*": Meaning(Outcome.ERRORED, Reaction.OTHER_CHANNEL),
        "isp.*": Meaning(Outcome.UNKNOWN, Reaction.RETRY_LATER),
    }
)

REFUND: Final = MappingProxyType[str, Refusal](
    {
        "ACQ.ACCESS_FORBIDDEN": (Outcome.ERRORED, None),
        "ACQ.BUYER_ERROR": (Outcome.ERRORED, None),
        "ACQ.BUYER_NOT_EXIST": (Outcome.ERRORED, None),
        "ACQ.CURRENCY_NOT_SUPPORT": (Outcome.ERRORED, None),
        "ACQ.CURRENCY_VERIFY_FAIL": (Outcome.ERRORED, None),
        "ACQ.CUSTOMER_VALIDATE_ERROR": (Outcome.ERRORED, None),
        "ACQ.DISCORDANT_REPEAT_REQUEST": _UNCLEAR,  # this number refunded another amount before
        "ACQ.INVALID_PARAMETER": (Outcome.ERRORED, None),
        "ACQ.NOT_ALLOW_PARTIAL_REFUND": (Outcome.ERRORED, None),
        "ACQ.ONLINE_TRADE_VOUCHER_NOT_ALLOW_REFUND": (Outcome.ERRORED, None),
        "ACQ.REASON_TRADE_BEEN_FREEZEN": (Outcome.ERRORED, None),
        "ACQ.REASON_TRADE_REFUND_FEE_ERR": (Outcome.ERRORED, None),
        "ACQ.REASON_TRADE_STATUS_INVALID": (Outcome.ERRORED, None),
        "ACQ.REFUND_ACCOUNT_NOT_EXIST": (Outcome.ERRORED, None),
        "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": (Outcome.ERRORED, None),
        "ACQ.REFUND_CHARGE_ERROR": _UNCLEAR,
        "ACQ.REFUND_FEE_ERROR": (Outcome.ERRORED, None),
        "ACQ.REFUND_ROYALTY_PAYEE_ACCOUNT_NOT_EXIST": (Outcome.ERRORED, None),
        "ACQ.SELLER_BALANCE_NOT_ENOUGH": (Outcome.ERRORED, Advice.TRY_AGAIN),
        "ACQ.SYSTEM_ERROR": _UNCLEAR,
        "ACQ.TRADE_HAS_CLOSE": (Outcome.ERRORED, None),
        "ACQ.TRADE_HAS_FINISHED": (Outcome.ERRORED, None),
        "ACQ.TRADE_NOT_ALLOW_REFUND": (Outcome.ERRORED, None),
        "ACQ.TRADE_NOT_EXIST": (Outcome.ERRORED, None),
        "ACQ.TRADE_STATUS_ERROR": (Outcome.ERRORED, None),
        "ACQ.USER_NOT_MATCH_ERR": (Outcome.ERRORED, None),
    }
)
