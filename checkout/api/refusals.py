"""What the API itself refuses, before any use case is asked."""

from ledger.errors import Refusal


class CardNumberRefused(Refusal):
    """Card numbers belong to the provider's card fields. What was sent is neither kept nor logged."""

    code = "card_number_refused"
    status = 400


class BodyTooLarge(Refusal):
    """More than 64 KiB."""

    code = "body_too_large"
    status = 413


class BodyMalformed(Refusal):
    """Not JSON, or not an object."""

    code = "body_malformed"
    status = 400


class CursorInvalid(Refusal):
    """Not the `next_cursor` of an earlier page."""

    code = "cursor_invalid"
    status = 400


class RateLimited(Refusal):
    """Too many requests this minute; `Retry-After` says when to go on."""

    code = "rate_limited"
    status = 429


class AmountInvalid(Refusal):
    """Not a whole number of minor units above zero, or far beyond any sale."""

    code = "amount_invalid"


class CurrencyUnknown(Refusal):
    """Not an ISO 4217 code."""

    code = "currency_unknown"


class ReturnUrlInvalid(Refusal):
    """Not an absolute https or http address."""

    code = "return_url_invalid"


class LimitInvalid(Refusal):
    """A page holds 1 to 100."""

    code = "limit_invalid"
    status = 400
