"""How English pages write days and hours: 11/12/2026 would be another day for half of their readers.

The console's hours are UTC, and say so: a list's entry that ends with its day in China ends at 16:00 UTC.
"""

DATE_FORMAT = "j M Y"
TIME_FORMAT = r"H:i \U\T\C"
DATETIME_FORMAT = r"j M Y, H:i \U\T\C"
SHORT_DATE_FORMAT = "Y-m-d"
SHORT_DATETIME_FORMAT = r"Y-m-d H:i \U\T\C"
