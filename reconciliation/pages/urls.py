"""Below `console/reconciliation/`."""

from django.urls import path

from reconciliation.pages.bank import bank_accounts, bank_lines
from reconciliation.pages.days import three_books, three_books_csv
from reconciliation.pages.statements import statement, statements

urlpatterns = [
    path("books/", three_books, name="three-books"),
    path("books/csv/", three_books_csv, name="three-books-csv"),
    path("statements/", statements, name="statements"),
    path("statements/<str:file>/", statement, name="statement"),
    path("bank-lines/", bank_lines, name="bank-lines"),
    path("bank-accounts/", bank_accounts, name="bank-accounts"),
]
