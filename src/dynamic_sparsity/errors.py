"""The one exception that a user's mistake raises: its text is all that the user sees."""


class UserError(Exception):
    """Names the thing, the value found, the values allowed and the remedy; shown without a traceback."""
