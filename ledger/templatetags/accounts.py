"""How account names are shown."""

import re

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
_PART = re.compile(r"[^:_]*[:_]|[^:_]+$")


@register.filter
def account_name(name: str | None) -> SafeString:
    """A name that may break where its parts join: `channel_fees:wechat` after the underscore and the colon."""
    return format_html_join(mark_safe("<wbr>"), "{}", [(part,) for part in _PART.findall(name or "")])
