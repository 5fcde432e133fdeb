"""What the pages of rows have in common."""

import json
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


def pretty(value: Any) -> SafeString:
    """For whoever checks the last figure; folded, and no wider than the page."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html(
        '<details><summary class="cursor-pointer text-primary-600 dark:text-primary-500">{}</summary>'
        '<pre class="text-xs whitespace-pre-wrap break-all"><code>{}</code></pre></details>',
        _("Show all of it"),
        text,
    )
