"""A refusal in Stripe's words."""

from typing import Any


class StripeError(Exception):
    """Becomes `{"error": {...}}`. `stored` says whether the idempotency key keeps this answer."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str = "",
        param: str = "",
        stored: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        optional = {"code": code, "param": param, **more}
        self.body: dict[str, Any] = {
            "error": {
                "message": message,
                "type": type,
                **{name: value for name, value in optional.items() if value},
            }
        }


def missing(kind: str, key: str, param: str = "id") -> StripeError:
    return StripeError(f"No such {kind}: '{key}'", status=404, code="resource_missing", param=param)


def card_error(
    message: str, code: str, *, decline_code: str = "", param: str = "", **more: Any
) -> StripeError:
    more = {"decline_code": decline_code, **more}
    return StripeError(message, status=402, type="card_error", code=code, param=param, stored=True, **more)
