"""Texts of the program that are stored in English, in the reader's language when they are shown."""

import re

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

# Notes of policies, words of models' cards, and why a model can not be asked.
_STORED = (
    _("Ships with the program; the reasons are in docs/decisions/risk-starting-policy.md."),
    _("generated shop %(seed)s"),
    _("generated world %(seed)s"),
    _("file %(name)s"),
    _("own decisions"),
    _("Ranking payments for challenge and review. Not for refusing a person anything by itself."),
    _(
        "Trained on generated data alone: it knows no real shop, and its probabilities are those of the made-up"
        " one. Train on your own outcomes as soon as there are some hundred frauds."
    ),
    _("There is no model %(model)s. Train one, or take it out of the policy."),
    _("There is no model %(model)s."),
    _("The model's text or schema was changed after it was sealed."),
    _("Only LightGBM's text format is loaded."),
    _("The model looks at signals that nobody counts: %(names)s."),
    _("LightGBM does not read the model: %(error)s"),
    _("The key that signed the model is not known here."),
    _("The model was not signed by this installation."),
)
_PATTERNS = [(one, re.compile(re.sub(r"%\\\((\w+)\\\)s", r"(?P<\1>.+?)", re.escape(one)))) for one in _STORED]


def translated(stored: str) -> str:
    """What people wrote stays as they wrote it."""
    for text, pattern in _PATTERNS:
        found = pattern.fullmatch(stored)
        if found:
            return gettext(text) % found.groupdict()
    return stored
