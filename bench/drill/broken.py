"""An application that gives every movement another outbound key each time it is asked for."""

from secrets import randbelow, token_hex

from django.apps import AppConfig


class Broken(AppConfig):
    name = "bench.drill"

    def ready(self) -> None:
        from payments.models import Attempt, Refund  # noqa: PLC0415 - models exist only now

        Attempt.key = property(lambda attempt: f"{attempt.public_id}:{token_hex(8)}")  # type: ignore[assignment]
        Refund.movement_key = property(lambda refund: f"{refund.public_id}_{100 + randbelow(900)}")  # type: ignore[assignment]
