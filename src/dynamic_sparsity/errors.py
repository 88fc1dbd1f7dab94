"""The one exception that a user's mistake raises, its text all that the user sees; and how it shows what files say."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


class UserError(Exception):
    """Names the thing, the value found, the values allowed and the remedy; shown without a traceback."""


def quoted(value: object) -> str:
    """A value found in a file, for a message: one line, cut where it is long or nested, whatever it is."""
    return _SHORT.repr(value)


def printable(value: object) -> str:
    """`str(value)` with control characters and lone surrogates escaped: no text from a file steers a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
