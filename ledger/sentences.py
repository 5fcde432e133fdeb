"""Sentences that are written in English where something is refused, and can be said in another language. Pure."""

from collections.abc import Mapping
from typing import Any, Self


class Sentence(str):
    """English for programs, journals and logs; `wording.said` tells it in the language of who reads it.

    Of `values`, enums are said in words, a tuple as a list of what stays as it is; one may be a sentence itself.
    """

    template: str
    values: Mapping[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Self:
        plain = {name: ", ".join(one) if isinstance(one, tuple) else one for name, one in values.items()}
        made = super().__new__(cls, template % plain if values else template)
        made.template, made.values = template, values
        return made
