from django.urls import path

from payments.views import webhook

urlpatterns = [path("<slug:channel>", webhook, name="webhook")]
