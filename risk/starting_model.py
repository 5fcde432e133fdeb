"""The model that a new installation starts with, as two files: LightGBM's text, and its signals and card. Pure.

It learnt from a generated shop and knows no real one. `manage.py write_starting_model` makes the same bytes again.
"""

import json
from pathlib import Path

from risk.training import Lesson

NAME, VERSION = "generated", 1
# Of text and signals, as artefacts.digest_of tells it. Whoever changes the files raises VERSION and says so here.
DIGEST = "3c4ea6e4c236994dbdad1522ad5e8a0fb4f942cf1eb157e0c821b262ec770322"
_FOLDER = Path(__file__).parent / "shipped"
_TEXT, _CARD = _FOLDER / f"{NAME}-{VERSION}.txt", _FOLDER / f"{NAME}-{VERSION}.json"


def read() -> Lesson:
    """What ships."""
    told = json.loads(_CARD.read_text(encoding="utf-8"))
    return Lesson(text=_TEXT.read_text(encoding="utf-8"), names=tuple(told["signals"]), card=told["card"])


def write(lesson: Lesson) -> None:
    """Put another in its place."""
    _FOLDER.mkdir(exist_ok=True)
    _TEXT.write_text(lesson.text, encoding="utf-8")
    told = {"card": lesson.card, "signals": lesson.names}
    _CARD.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
