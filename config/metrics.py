"""`/metrics`: what a Prometheus server asks for, in its text format.

Every figure comes out of the databases, so any process of any machine tells the same, and counters survive a restart.
"""

from collections.abc import Iterable
from hmac import compare_digest
from math import inf

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from risk import gauges
from risk.gauges import Metric

PREFIX = "smart_checkout_"
FORMAT = "text/plain; version=0.0.4; charset=utf-8"


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever knows `METRICS_TOKEN`; where none is set there is no such page."""
    if not settings.METRICS_TOKEN:
        raise Http404
    if not compare_digest(request.headers.get("Authorization", "").encode(), _expected()):
        return HttpResponse("Bearer token needed.\n", status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(written(gauges.metrics(now=timezone.now())), content_type=FORMAT)


def written(some: Iterable[Metric]) -> str:
    return "".join(f"{line}\n" for metric in some for line in _lines(metric))


def _expected() -> bytes:
    return f"Bearer {settings.METRICS_TOKEN}".encode()


def _lines(metric: Metric) -> Iterable[str]:
    name = PREFIX + metric.name
    yield f"# HELP {name} {metric.help}"
    yield f"# TYPE {name} {metric.kind}"
    for labels, value in metric.samples:
        told = ",".join(f'{label}="{_escaped(of)}"' for label, of in labels.items())
        yield f"{name}{{{told}}} {_figure(value)}" if told else f"{name} {_figure(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _figure(value: float) -> str:
    return "+Inf" if value == inf else f"{value:.15g}"
