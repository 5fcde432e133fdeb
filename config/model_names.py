"""Tables and their columns are called by their names in the reader's language.

A model says its names once, in English; they are looked up in the catalogues as they are. This is set when a program
starts, beside `Meta` and not in it, so that words make no migrations.
"""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy


def translate_names(app: AppConfig) -> None:
    for model in app.get_models():
        meta = model._meta
        meta.verbose_name_plural = gettext_lazy(str(meta.verbose_name_plural))
        meta.verbose_name = gettext_lazy(str(meta.verbose_name))
        for field in meta.fields:
            if isinstance(field.verbose_name, str):  # one that is lazy is a translation already
                field.verbose_name = gettext_lazy(field.verbose_name)
