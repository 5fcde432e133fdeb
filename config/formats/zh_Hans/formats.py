"""How Chinese pages write hours: in UTC, and say so."""

TIME_FORMAT = r"H:i \U\T\C"
DATETIME_FORMAT = r"Y年n月j日 H:i \U\T\C"
SHORT_DATETIME_FORMAT = r"Y年n月j日 H:i \U\T\C"
