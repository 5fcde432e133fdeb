"""Below `console/payments/channels/`."""

from django.urls import path

from payments.admin import channels, routing

urlpatterns = [
    path("", channels.overview, name="channels"),
    path("codes/", channels.codes, name="channel-codes"),
    path("policies/", routing.policies, name="routing-policies"),
    path("policies/<str:policy>/", routing.policy, name="routing-policy"),
    path("<str:channel>/<str:method>/", channels.setting, name="channel"),
]
