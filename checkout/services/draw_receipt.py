from django.conf import settings
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from checkout.selectors import OrderView

_MARGIN, _LINE = 56, 16
# Adobe's own Chinese face: named in the file, not carried by it, and known to every reader of PDF.
_CHINESE = "STSong-Light"


def draw_receipt(*, order: OrderView) -> bytes:
    """This will draw the order's receipt as a PDF, the same bytes for the same order; it writes nothing."""
    pdfmetrics.registerFont(UnicodeCIDFont(_CHINESE))
    canvas = Canvas("", pagesize=A4, invariant=True)
    canvas.setTitle(f"Receipt {order.id}")
    top = A4[1] - _MARGIN
    y = top
    for size, left, right in _lines(order):
        if y < _MARGIN:
            canvas.showPage()
            y = top
        _write(canvas, size, left, right, y)
        y -= _LINE + size - 10
    return bytes(canvas.getpdfdata())


def _lines(order: OrderView) -> list[tuple[int, str, str]]:
    """(size, text on the left, text on the right), from top to bottom."""
    address = order.address
    door = ", ".join(part for part in (address.line1, address.line2, address.city, address.region) if part)
    sums = [("Discount", -order.discount), ("Tax", order.tax), ("Shipping", order.shipping)]
    return [
        (16, "Receipt", ""),
        (10, settings.PUBLIC_URL, ""),
        (10, f"Order {order.id}", f"{order.placed_at:%Y-%m-%d %H:%M} UTC"),
        (10, "", ""),
        (10, f"{address.name}, {order.email}", ""),
        (10, f"{door}, {address.postal_code} {address.country}", ""),
        (10, "", ""),
        *(
            (10, f"{line.quantity} × {line.title(order.locale)}", line.total.formatted())
            for line in order.lines
        ),
        (10, "", ""),
        *((10, name, amount.formatted()) for name, amount in sums if amount.minor),
        (12, "Total", order.payable.formatted()),
        *(
            (10, f"Paid with {paid.method}: {paid.id}", paid.captured.formatted())
            for paid in order.payments
            if paid.captured.minor
        ),
    ]


def _write(canvas: Canvas, size: int, left: str, right: str, y: float) -> None:
    for text, put, x in (
        (left, canvas.drawString, _MARGIN),
        (right, canvas.drawRightString, A4[0] - _MARGIN),
    ):
        if text:
            canvas.setFont("Helvetica" if text.isascii() else _CHINESE, size)
            put(x, y, text)
