"""What the pages of rows have in common."""

import json
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Case, OuterRef, Subquery, TextField, Value, When
from django.db.models.functions import Cast, Concat
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _


def pretty(value: Any) -> SafeString:
    """For whoever checks the last figure; folded, and no wider than the page."""
    text = json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html(
        '<details><summary class="cursor-pointer text-primary-600 dark:text-primary-500">{}</summary>'
        '<pre class="text-xs whitespace-pre-wrap break-all">{}</pre></details>',
        _("Show all of it"),
        text,
    )


def named(field: str) -> Case:
    """Of "user:12" the person's name; programs go by what they are."""
    people = get_user_model().objects.annotate(
        actor=Concat(Value("user:"), Cast("pk", TextField()), output_field=TextField())
    )
    name = Subquery(people.filter(actor=OuterRef(field)).values("username")[:1])
    return Case(When(**{f"{field}__startswith": "user:"}, then=name), default=field, output_field=TextField())
