"""Stored words as people say them."""

from typing import Any

from django import template
from django.contrib.admin import site
from django.utils.text import capfirst

from ledger import acts, wording

register = template.Library()


@register.filter
def in_words(stored: Any) -> Any:
    """What is no text stays as it is."""
    return wording.in_words(stored) if isinstance(stored, str) else stored


@register.filter
def said(text: str) -> str:
    """A sentence in the language of who reads it."""
    return wording.said(text)


@register.filter
def act_in_words(action: str) -> str:
    """What was done, of the audit journal."""
    return acts.in_words(action)


@register.filter
def titled(named: Any) -> str:
    """A row as its page of the console is headed; a name with a capital letter."""
    page = site._registry.get(type(named))
    title_of = getattr(page, "title_of", capfirst)
    return str(title_of(named))
