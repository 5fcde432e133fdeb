"""An application that gives every movement another outbound key each time it is asked for."""

from uuid import uuid4

from django.apps import AppConfig


class Broken(AppConfig):
    name = "bench.drill"

    def ready(self) -> None:
        from payments.models import Attempt  # noqa: PLC0415 - models exist only now

        Attempt.key = property(lambda attempt: f"{attempt.public_id}:{uuid4().hex}")  # type: ignore[assignment]
