"""`/stripe/js/v3/`: the script that a merchant's page loads, and the card field's own document.

The field is an iframe of the sandbox's origin. The number goes from there straight to
`/stripe/v1/payment_methods`; the merchant's page gets a token, and messages about completeness and errors.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from sandbox.html import fragment

_STATIC = Path(__file__).parent.parent / "static"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'"
)


def routes() -> list[BaseRoute]:
    async def script(request: Request) -> Response:
        headers = {"Cache-Control": "max-age=60", "Access-Control-Allow-Origin": "*"}
        return FileResponse(_STATIC / "stripe_v3.js", media_type="text/javascript", headers=headers)

    async def frame(request: Request) -> Response:
        headers = {
            "Content-Security-Policy": _POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(fragment("stripe_card_field"), headers=headers)

    return [
        Route("/stripe/js/v3/", script, methods=["GET"]),
        Route("/stripe/js/v3", script, methods=["GET"]),
        Route("/stripe/js/card-field", frame, methods=["GET"]),
    ]
