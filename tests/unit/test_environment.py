"""The locks: every package pinned and hashed, no index named, and conda's file in step."""

import importlib.util
import re
from pathlib import Path

ENVS = Path(__file__).resolve().parents[2] / "envs"
RUNTIME, EVERYTHING = ENVS / "requirements.txt", ENVS / "requirements-test.txt"

_spec = importlib.util.spec_from_file_location("lock", ENVS / "lock.py")
lock = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lock)


def test_every_package_is_pinned_with_hashes():
    for path in (RUNTIME, EVERYTHING):
        text = path.read_text()
        blocks = re.split(r"\n(?=[A-Za-z])", text.strip())
        assert len(blocks) > 100
        for block in blocks:
            assert re.match(r"[A-Za-z0-9_.\-]+==\S+", block), block[:80]
            assert "--hash=sha256:" in block, block[:80]
        assert len(lock.pins(path)) == len(blocks), "envs/lock.py reads every line"


def test_no_file_names_an_index():
    for path in ENVS.iterdir():
        if path.suffix in (".txt", ".yaml"):
            assert not re.search(r"https?://|index-url|find-links", path.read_text()), path


def test_the_test_lock_extends_the_runtime_lock():
    assert set(lock.pins(RUNTIME)) <= set(lock.pins(EVERYTHING))


def test_condas_environment_is_generated_from_the_lock():
    assert (ENVS / "environment.yaml").read_text() == lock.environment(RUNTIME), "run `make lock`"


def test_the_lock_holds_what_pyproject_asks_for():
    import tomllib

    project = tomllib.loads((ENVS.parent / "pyproject.toml").read_text())["project"]
    pinned = {pin.partition("==")[0] for pin in lock.pins(EVERYTHING)}
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.match(r"[A-Za-z0-9_.\-]+", requirement).group() for requirement in asked}
    assert names <= pinned
    exact = {requirement for requirement in project["dependencies"] if "==" in requirement}
    assert exact <= {pin.partition(" ;")[0] for pin in lock.pins(RUNTIME)}
