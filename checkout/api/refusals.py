"""What the API itself refuses, before any use case is asked."""

from ledger.errors import Refusal


class CardNumberRefused(Refusal):
    """Card numbers belong to the provider's card fields. What was sent is neither kept nor logged."""

    code = "card_number_refused"
    status = 400


class BodyTooLarge(Refusal):
    code = "body_too_large"
    status = 413


class BodyMalformed(Refusal):
    """Not JSON, or not an object."""

    code = "body_malformed"
    status = 400


class CursorInvalid(Refusal):
    code = "cursor_invalid"
    status = 400


class RateLimited(Refusal):
    code = "rate_limited"
    status = 429
