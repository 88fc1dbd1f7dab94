"""The exception for users' mistakes, whose message is all that the user sees, and safe display of text from files."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


class UserError(Exception):
    """A user's mistake. The message names the thing, its value, the allowed values and the remedy; no traceback."""


def quoted(value: object) -> str:
    """The representation of a value from a file, for a message: one line, shortened if it is long or nested."""
    return _SHORT.repr(value)


def printable(value: object) -> str:
    """`str(value)` with control characters and lone surrogates escaped: text from a file must not steer a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))
