"""What is known of a customer from earlier orders, for risk."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHistory:
    paid_orders: int
    registered_at: datetime | None
    device_seen: bool


def customer_history(*, user_id: int | None, email: str, device_id: str) -> CustomerHistory:
    """Earlier paid orders. An e-mail address proves nothing: a guest's count only from the same device."""
    raise NotImplementedError
