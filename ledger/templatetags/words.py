"""Stored words as people say them."""

from typing import Any

from django import template

from ledger import wording

register = template.Library()


@register.filter
def in_words(stored: Any) -> Any:
    """What is no text stays as it is."""
    return wording.in_words(stored) if isinstance(stored, str) else stored
