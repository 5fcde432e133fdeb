"""The test cards: what each one is and how its issuer behaves. Nothing here keeps a number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TestCard:
    """`decline` is the decline code of every charge; `three_d_secure` is its issuer's ability or wish.

    `later` is what becomes of what was paid: a dispute's reason, "inquiry", "pending_refund" or "failing_refund".
    """

    brand: str
    country: str
    funding: str = "credit"
    decline: str = ""
    three_d_secure: str = "optional"
    checks_pass: bool = True
    later: str = ""


def _visa(
    country: str = "US", *, decline: str = "", three_d_secure: str = "optional", later: str = ""
) -> TestCard:
    return TestCard("visa", country, decline=decline, three_d_secure=three_d_secure, later=later)


TEST_CARDS: dict[str, TestCard] = {
    "4242424242424242": _visa(),
    "4000056655665556": TestCard("visa", "US", funding="debit"),
    "5555555555554444": TestCard("mastercard", "US"),
    "2223003122003222": TestCard("mastercard", "US"),
    "5200828282828210": TestCard("mastercard", "US", funding="debit"),
    "378282246310005": TestCard("amex", "US", three_d_secure="unsupported"),
    "6011111111111117": TestCard("discover", "US"),
    "3566002020360505": TestCard("jcb", "JP"),
    "6200000000000005": TestCard("unionpay", "CN", three_d_secure="unsupported"),
    # by country of issue
    "4000001560000002": _visa("CN"),
    "4000003440000004": _visa("HK"),
    "4000007020000003": _visa("SG"),
    "4000003920000003": _visa("JP"),
    "4000008260000000": _visa("GB"),
    "4000002760000016": _visa("DE"),
    "4000001240000000": _visa("CA"),
    "4000000360000006": _visa("AU"),
    # 3-D Secure
    "4000002500003155": _visa(three_d_secure="unless_set_up"),
    "4000002760003184": _visa("DE", three_d_secure="required"),
    "4000003800000446": _visa(),
    "4000008260003178": _visa("GB", decline="insufficient_funds", three_d_secure="required"),
    "4000000000003220": _visa(three_d_secure="required"),
    "4000008400001629": _visa(decline="generic_decline", three_d_secure="required"),
    "4000008400001280": _visa(three_d_secure="broken"),
    "4000000000003055": _visa(),
    # declined
    "4000000000000002": _visa(decline="generic_decline"),
    "4000000000009995": _visa(decline="insufficient_funds"),
    "4000000000009987": _visa(decline="lost_card"),
    "4000000000009979": _visa(decline="stolen_card"),
    "4000000000000069": _visa(decline="expired_card"),
    "4000000000000127": _visa(decline="incorrect_cvc"),
    "4000000000000119": _visa(decline="processing_error"),
    "4000000000006975": _visa(decline="card_velocity_exceeded"),
    "4000000000000341": _visa(decline="generic_decline"),
    "4100000000000019": _visa(decline="fraudulent"),
    # what comes later
    "4000000000000259": _visa(later="fraudulent"),
    "4000000000002685": _visa(later="product_not_received"),
    "4000000000001976": _visa(later="inquiry"),
    "4000000000007726": _visa(later="pending_refund"),
    "4000000000005126": _visa(later="failing_refund"),
}

# what stands for the card in a phone: the device's own number
APPLE_PAY_NUMBER = "4242424242424242"

# the shortcuts of the documentation: payment methods that exist in every account
SHORTCUTS: dict[str, str] = {
    "pm_card_visa": "4242424242424242",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_unionpay": "6200000000000005",
    "pm_card_cn": "4000001560000002",
    "pm_card_hk": "4000003440000004",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_threeDSecure2Required": "4000000000003220",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_applepay": APPLE_PAY_NUMBER,
    "pm_card_createDispute": "4000000000000259",
    "pm_card_createDisputeProductNotReceived": "4000000000002685",
    "pm_card_createDisputeInquiry": "4000000000001976",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
}

# decline code → (error code, message)
DECLINES: dict[str, tuple[str, str]] = {
    "generic_decline": ("card_declined", "Your card was declined."),
    "insufficient_funds": ("card_declined", "Your card has insufficient funds."),
    "lost_card": ("card_declined", "Your card was declined."),
    "stolen_card": ("card_declined", "Your card was declined."),
    "card_velocity_exceeded": (
        "card_declined",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
    ),
    "fraudulent": ("card_declined", "Your card was declined."),
    "expired_card": ("expired_card", "Your card has expired."),
    "incorrect_cvc": ("incorrect_cvc", "Your card's security code is incorrect."),
    "authentication_required": (
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
    "processing_error": (
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
    ),
}


def passes_luhn(number: str) -> bool:
    doubled = [int(digit) * 2 for digit in number[-2::-2]]
    return (sum(map(int, number[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0
