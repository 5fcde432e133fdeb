"""Text that the table holds encrypted: a copy of the database alone does not tell it."""

import base64
import hashlib
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


@cache
def _cipher(secrets: tuple[str, ...]) -> MultiFernet:
    keys = [hashlib.sha256(f"payments.sealed:{secret}".encode()).digest() for secret in secrets]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])


def _current() -> MultiFernet:
    return _cipher((settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """Sealed under SECRET_KEY. What a forgotten key sealed reads as None."""

    def get_prep_value(self, value: Any) -> Any:
        return _current().encrypt(value.encode()).decode() if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        if not value:
            return value
        try:
            return _current().decrypt(value.encode()).decode()
        except InvalidToken:
            return None
