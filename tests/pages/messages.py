"""Every text of the pages that wants a translation, found without gettext."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.admin import site
from django.contrib.admin.utils import flatten, flatten_fieldsets
from django.utils import translation
from django.utils.translation.template import templatize

OURS = ("ledger", "payments", "risk", "reconciliation", "checkout")
ROOT = Path(__file__).resolve().parents[2]
_SINGLE, _PLURAL = {"gettext", "gettext_lazy", "gettext_noop", "_", "Sentence"}, {"ngettext", "ngettext_lazy"}
_STRING = r"""(u?'(?:[^'\\]|\\.)*'|u?"(?:[^"\\]|\\.)*")"""
_IN_TEMPLATE = re.compile(rf"\b(gettext|ngettext|_)\(\s*{_STRING}(?:\s*,\s*{_STRING})?", re.DOTALL)

# What the console's frame says on our pages, and brings no translation of.
_OF_THE_FRAME = (
    "Apply Filters",
    "Cancel",
    "Dark",
    "Date",
    "Go back",
    "Light",
    "Loading more results...",
    "Next",
    "No results found",
    "No results matching your query",
    "Previous",
    "Reset filters",
    "Run",
    "Search apps and models...",
    "Select action",
    "Select action to run",
    "Select all rows",
    "Select record",
    "Select value",
    "System",
    "This page yielded into no results. Create a new item or reset your filters.",
    "Type to search",
)

_OF_PAYMENTS = (
    "_breaker",
    "_duration",
    "_graph",
    "_method",
    "channel",
    "channels",
    "review_case",
    "review_people",
    "review_queue",
)

_OF_RISK = (
    "_advice",
    "_devices",
    "_expected",
    "_matrix",
    "_reason",
    "back_test",
    "device",
    "devices",
    "figures",
    "model",
    "_plot",
    "draft",
    "import_list",
    "list_change",
    "list_changes",
    "policies",
    "policy",
)

_PAGES_OF_RISK = (
    "comparing",
    "devices",
    "drafting",
    "figures",
    "list_changes",
    "lists",
    "models",
    "plots",
    "policies",
    "showing",
)

Message = tuple[str, ...]  # one form, or singular and plural


def wanted() -> dict[Message, str]:
    """Message → the first file that uses it."""
    found: dict[Message, str] = {}
    for path in sources():
        messages = _in_template(path) if path.suffix == ".html" else _in_python(path)
        for message in messages:
            found.setdefault(message, str(path.relative_to(ROOT)))
    for said in _OF_THE_FRAME:
        found.setdefault((said,), "unfold/templates")
    for page in pages_of_rows():
        for name in _names(page):
            found.setdefault((name,), str(page.model._meta.label))
    return found


def pages_of_rows() -> Iterator[Any]:
    """The console's pages of rows of ours, and the tables within them."""
    for model, page in site._registry.items():
        if model._meta.app_label in OURS:
            yield page
            yield from (inline(model, site) for inline in page.inlines)


def shown(page: Any) -> list[str]:
    """The fields and columns that a page names."""
    form = page.form.Meta.fields if hasattr(page.form, "Meta") else ()
    filters = [one[0] if isinstance(one, tuple) else one for one in getattr(page, "list_filter", ())]
    listed = (*getattr(page, "list_display", ()), *filters)
    said = [*flatten(page.fields or ()), *flatten_fieldsets(page.fieldsets or ()), *form, *listed]
    return list(dict.fromkeys(name for name in said if isinstance(name, str)))


def _names(page: Any) -> Iterator[str]:
    """What the model calls itself and those of its fields that the page does not name by itself."""
    meta = page.model._meta
    known = {field.name: field for field in meta.fields}
    with translation.override(None):
        yield from (str(meta.verbose_name), str(meta.verbose_name_plural))
        for name in shown(page):
            if name in known and not hasattr(page, name):
                yield str(known[name].verbose_name)


def sources() -> list[Path]:
    """The customer's pages; of the console its home, lists of records, the books, what is stuck, and of
    risk, but for its models and figures; and what speaks for a machine."""
    templates = ROOT / "templates"
    return [
        *sorted(templates.glob("*.html")),
        *sorted((templates / "checkout").rglob("*.html")),
        *sorted((templates / "config" / "home").glob("*.html")),
        *(templates / "risk" / f"{name}.html" for name in _OF_RISK),
        *(templates / "payments" / f"{name}.html" for name in _OF_PAYMENTS),
        *sorted((templates / "ledger").glob("*.html")),
        *sorted((ROOT / "ledger").rglob("*.py")),
        *sorted((ROOT / "payments" / "stuck").glob("*.py")),
        ROOT / "reconciliation" / "stuck.py",
        ROOT / "reconciliation" / "views.py",
        ROOT / "reconciliation" / "wording.py",
        *sorted((templates / "reconciliation").glob("*stuck*.html")),
        *(
            ROOT / "payments" / "admin" / f"{name}.py"
            for name in (
                "channels",
                "drawing",
                "messages",
                "records",
                "review",
                "refusals",
                "saved_methods",
            )
        ),
        *(ROOT / "risk" / "pages" / f"{name}.py" for name in _PAGES_OF_RISK),
        *sorted((ROOT / "risk").glob("*.py")),
        *sorted((ROOT / "risk" / "services").glob("*.py")),
        *(ROOT / "risk" / "admin" / f"{name}.py" for name in ("frame", "lists", "records")),
        ROOT / "reconciliation" / "admin" / "__init__.py",
        ROOT / "reconciliation" / "pages" / "bank.py",
        *(templates / "reconciliation" / f"{name}.html" for name in ("_book_links", "bank_lines")),
        *(ROOT / app / "apps.py" for app in ("payments", "risk", "reconciliation")),
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
