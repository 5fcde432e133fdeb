"""The door for providers."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from payments.errors import ChannelNotFound
from payments.services.receive_notice import receive_notice


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, channel: str) -> HttpResponse:
    """One notification: its raw body is verified, so nothing may parse it before."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        answer = receive_notice(channel=channel, headers=headers, body=request.body)
    except ChannelNotFound as refusal:
        return JsonResponse({"code": refusal.code}, status=refusal.status)
    return HttpResponse(answer.body, status=answer.status, content_type=answer.content_type)
