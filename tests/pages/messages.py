"""Every text of the pages that wants a translation, found without gettext."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
_SINGLE, _PLURAL = {"gettext", "gettext_lazy", "gettext_noop", "_"}, {"ngettext", "ngettext_lazy"}
_STRING = r"""(u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
_IN_TEMPLATE = re.compile(rf"\b(gettext|ngettext|_)\(\s*{_STRING}(?:\s*,\s*{_STRING})?", re.DOTALL)

Message = tuple[str, ...]  # one form, or singular and plural


def wanted() -> dict[Message, str]:
    """Message → the first file that uses it."""
    found: dict[Message, str] = {}
    for path in sources():
        messages = _in_template(path) if path.suffix == ".html" else _in_python(path)
        for message in messages:
            found.setdefault(message, str(path.relative_to(ROOT)))
    return found


def sources() -> list[Path]:
    """The customer's pages; of the console its home, lists of records, the books, what is stuck, and what
    speaks for a machine."""
    templates = ROOT / "templates"
    return [
        *sorted(templates.glob("*.html")),
        *sorted((templates / "checkout").rglob("*.html")),
        *sorted((templates / "config" / "home").glob("*.html")),
        templates / "risk" / "_advice.html",
        *sorted((templates / "ledger").glob("*.html")),
        *sorted((ROOT / "ledger").rglob("*.py")),
        *sorted((ROOT / "payments" / "stuck").glob("*.py")),
        ROOT / "reconciliation" / "stuck.py",
        ROOT / "reconciliation" / "views.py",
        ROOT / "reconciliation" / "wording.py",
        *sorted((templates / "reconciliation").glob("*stuck*.html")),
        *(ROOT / "payments" / "admin" / f"{name}.py" for name in ("messages", "records", "saved_methods")),
        *(ROOT / "risk" / "admin" / f"{name}.py" for name in ("lists", "records")),
        ROOT / "reconciliation" / "admin" / "__init__.py",
        *sorted((ROOT / "checkout").rglob("*.py")),
        *sorted((ROOT / "config").rglob("*.py")),
    ]


def _in_template(path: Path) -> Iterator[Message]:
    for call in _IN_TEMPLATE.finditer(templatize(path.read_text())):
        forms = (call[2], call[3]) if call[1] == "ngettext" else (call[2],)
        yield tuple(ast.literal_eval(form) for form in forms)


def _in_python(path: Path) -> Iterator[Message]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            count = 1 if node.func.id in _SINGLE else 2 if node.func.id in _PLURAL else 0
            texts = [argument.value for argument in node.args[:count] if isinstance(argument, ast.Constant)]
            if count and len(texts) == count:
                yield tuple(str(text) for text in texts)
