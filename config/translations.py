"""Compiling `config/locale/*/LC_MESSAGES/*.po` without gettext, which a bare machine lacks."""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def compile_into(source: Path, target: Path) -> int:
    """Write `target/<locale>/LC_MESSAGES/<domain>.mo` for every .po under `source`; returns how many were new."""
    written = 0
    for po in sorted(source.glob("*/LC_MESSAGES/*.po")):
        mo = target / po.relative_to(source).with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime >= po.stat().st_mtime:
            continue
        mo.parent.mkdir(parents=True, exist_ok=True)
        with po.open("rb") as text:
            catalog = read_po(text, locale=po.parent.parent.name)
        draft = mo.with_suffix(".draft")
        with draft.open("wb") as compiled:
            write_mo(compiled, catalog)
        draft.replace(mo)
        written += 1
    return written
