"""Stored texts of the program in the reader's language."""

from django import template

from risk import texts

register = template.Library()


@register.filter
def translated(stored: str) -> str:
    return texts.translated(stored)
