"""What hostile files are made of, and what reading one may do: give a sound object or one UserError of one line."""

import contextlib
import copy
import os
import sys
import tempfile
from pathlib import Path

from hypothesis import strategies as st

from dynamic_sparsity import cli
from dynamic_sparsity.errors import UserError

SECRET = "secret-of-somebody-else"
GONE = Ellipsis  # with a name that is the same in every process, as pytest-xdist wants
"""Among mutations: the key is deleted."""

ODD = ["", "..", "/etc/passwd", f"../{SECRET}", "a\nb", "\x1b[2J", "\ud800", "x" * 5000, "NaN", "policy/0/kernel"]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([-1, 0, 1, 3, 10**15, 2**63, -(10**400), 10**4000])
    | st.floats()
    | st.sampled_from(ODD)
    | st.text(st.characters(), max_size=8)
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(ODD) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
MUTATIONS = st.lists(st.tuples(st.integers(0, 10**6), st.just(GONE) | ANYTHING), min_size=1, max_size=3)


def places(document):
    """(container, key) of every value in a JSON document."""
    waiting = [document]
    while waiting:
        outer = waiting.pop()
        for key in list(outer) if isinstance(outer, dict) else range(len(outer)):
            yield outer, key
            if isinstance(outer[key], dict | list):
                waiting.append(outer[key])


def mutated(document, mutations):
    document = copy.deepcopy(document)
    for number, value in mutations:
        if found := list(places(document)):
            container, key = found[number % len(found)]
            if value is GONE:
                del container[key]
            else:
                container[key] = value
    return document


def nested(depth):
    return "[" * depth + "]" * depth


# What was opened is asked of the interpreter itself; a hook cannot be taken away again, only told not to listen.
_opened: list[str] | None = None


def _listen(event, arguments):
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_listen)


@contextlib.contextmanager
def nothing_secret_opened():
    global _opened
    _opened = []
    try:
        yield
        assert not [path for path in _opened if SECRET in os.path.realpath(path) or path.startswith("/etc/passwd")]
    finally:
        _opened = None


def answer(path, action):
    """What `action` returns, or None after a UserError that names the file and is one short line."""
    with nothing_secret_opened():
        try:
            return action()
        except UserError as error:
            said(str(error), path)
            return None


def said(message, path):
    assert str(path) in message and len(message) < 3000
    assert "\n" not in message and "\x1b" not in message
    message.encode()


def command(path, *arguments):
    """The command line's exit message, None where it succeeds; what it prints can be printed anywhere."""
    with nothing_secret_opened(), open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        try:
            cli.main([*arguments])
        except SystemExit as stop:
            message = str(stop.code)
        else:
            return None
    said(message, path)
    return message


@contextlib.contextmanager
def directory():
    """A place for one example: fixtures last for all of them."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


VALUES = [
    None,
    True,
    False,
    "5 5",
    [],
    {},
    -1,
    1.5,
    float("nan"),
    float("inf"),
    10**400,
    10**4000,
    "\ud800",
    "\x1b[2J",
    "a\nb",
]
