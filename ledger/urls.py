"""Below `console/books/`."""

from django.urls import path

from ledger.views import balances, days, profit

urlpatterns = [
    path("trial/", balances.trial, name="books-trial"),
    path("accounts/<str:account>/<str:currency>/", balances.statement, name="books-statement"),
    path("profit/", profit.profit, name="books-profit"),
    path("unsettled/", balances.unsettled, name="books-unsettled"),
    path("lines/", balances.lines, name="books-lines"),
    path("days/", days.days, name="books-days"),
]
