"""Parts of hostile files, and the check that reading one gives a sound object or one UserError of one line."""

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
GONE = Ellipsis  # its name is the same in every process, as pytest-xdist needs
"""A mutation that deletes the key."""

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
        if values := list(places(document)):
            container, key = values[number % len(values)]
            if value is GONE:
                del container[key]
            else:
                container[key] = value
    return document


def nested(depth):
    return "[" * depth + "]" * depth


# The interpreter itself reports the files that are opened. An audit hook cannot be removed, so it stays and is ignored.
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
            check_message(str(error), path)
            return None


def check_message(message, path):
    """The message names the file, is one short line and can be printed."""
    assert str(path) in message and len(message) < 3000
    assert "\n" not in message and "\x1b" not in message
    message.encode()


def command(path, *arguments):
    """The command line's exit message, or None if it succeeds; checks that its output can be encoded as UTF-8."""
    with nothing_secret_opened(), open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):  # noqa: PTH123
        try:
            cli.main([*arguments])
        except SystemExit as stop:
            message = str(stop.code)
        else:
            return None
    check_message(message, path)
    return message


@contextlib.contextmanager
def directory():
    """A temporary directory for one example; a fixture would be shared by all examples."""
    with tempfile.TemporaryDirectory() as path:
        yield Path(path)


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
