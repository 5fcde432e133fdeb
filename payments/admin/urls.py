"""Below `console/payments/review/`."""

from django.urls import path

from payments.admin import review

urlpatterns = [
    path("", review.queue, name="review-queue"),
    path("people/", review.people, name="review-people"),
    path("<str:case>/", review.case, name="review-case"),
]
