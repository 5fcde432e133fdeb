"""A trained model as it is kept: LightGBM's text, what it looks at, and the seal that says it is ours.

Nothing is loaded before its seal holds: a text that somebody changed never reaches LightGBM's parser.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lightgbm.basic import LightGBMError

from ledger import sealing
from risk.errors import UnusableModel
from risk.learning import Scorer
from risk.signals import GROUPS

_FIRST_LINE = "tree\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """`schema` is the ordered names of the signals, each with the group that its points are told under."""

    text: str
    schema: tuple[tuple[str, str], ...]
    digest: str
    key: str  # the name of the key that signed
    signature: str


def digest_of(text: str, schema: Sequence[Sequence[str]]) -> str:
    """SHA-256 over schema and text."""
    told = json.dumps([list(pair) for pair in schema], separators=(",", ":"))
    return hashlib.sha256(f"{told}\n{text}".encode()).hexdigest()


def seal(text: str, names: Sequence[str]) -> Artefact:
    """Sign a model that was trained here."""
    schema = tuple((name, GROUPS[name]) for name in names)
    digest = digest_of(text, schema)
    key = sealing.current()
    return Artefact(
        text=text, schema=schema, digest=digest, key=key, signature=_sign(digest, sealing.known()[key])
    )


def unseal(artefact: Artefact) -> Scorer:
    """The model, ready to answer. Raises `UnusableModel`, and says what is wrong with it."""
    if digest_of(artefact.text, artefact.schema) != artefact.digest:
        raise UnusableModel("The model's text or schema was changed after it was sealed.", param="digest")
    _check_signature(artefact, sealing.known())
    if not artefact.text.startswith(_FIRST_LINE):
        raise UnusableModel("Only LightGBM's text format is loaded.", param="text")
    unknown = [name for name, group in artefact.schema if GROUPS.get(name) != group]
    if unknown:
        raise UnusableModel(
            f"The model looks at signals that nobody counts: {', '.join(unknown[:5])}.", param="schema"
        )
    try:
        return Scorer(artefact.text, [name for name, _ in artefact.schema])
    except (LightGBMError, ValueError) as error:
        raise UnusableModel(f"LightGBM does not read the model: {error}", param="text") from error


def _check_signature(artefact: Artefact, keys: Mapping[str, str]) -> None:
    key = keys.get(artefact.key)
    if key is None:
        raise UnusableModel("The key that signed the model is not known here.", param="signature")
    if not sealing.is_signed(_signed(artefact.digest), artefact.signature, key):
        raise UnusableModel("The model was not signed by this installation.", param="signature")


def _sign(digest: str, key: str) -> str:
    return sealing.sign(_signed(digest), key)


def _signed(digest: str) -> str:
    """What is signed says what for: a signature of the journal is none of a model."""
    return f"risk model\n{digest}"
