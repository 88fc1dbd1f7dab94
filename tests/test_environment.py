"""The locks pin and hash every package and name no index; conda's file and the container agree with them."""

import importlib.util
import re
from pathlib import Path

ENVS = Path(__file__).resolve().parents[1] / "envs"
RUNTIME, EVERYTHING, SLURM, DOCS = (ENVS / f"requirements{extra}.txt" for extra in ("", "-test", "-slurm", "-docs"))

_spec = importlib.util.spec_from_file_location("lock", ENVS / "lock.py")
assert _spec and _spec.loader
lock = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(lock)


def test_every_package_is_pinned_with_hashes():
    for path in (RUNTIME, EVERYTHING, SLURM, DOCS):
        text = path.read_text()
        blocks = re.split(r"\n(?=[A-Za-z])", text.strip())
        assert len(blocks) > 100
        for block in blocks:
            assert re.match(r"[A-Za-z0-9_.\-]+==\S+", block), block[:80]
            assert "--hash=sha256:" in block, block[:80]
        assert len(lock.pins(path)) == len(blocks), "envs/lock.py reads every line"


def test_no_file_names_an_index():
    for path in ENVS.iterdir():
        if path.suffix in (".txt", ".yaml", ".def"):
            assert not re.search(r"https?://|index-url|find-links", path.read_text()), path


def test_the_other_locks_extend_the_runtime_lock():
    assert set(lock.pins(RUNTIME)) < set(lock.pins(EVERYTHING))
    assert set(lock.pins(RUNTIME)) < set(lock.pins(DOCS))
    added = set(lock.pins(SLURM)) - set(lock.pins(RUNTIME))
    assert {pin.partition("==")[0] for pin in added} == {
        "snakemake-executor-plugin-slurm",
        "snakemake-executor-plugin-slurm-jobstep",
    }


def test_condas_environment_is_generated_from_the_lock():
    assert (ENVS / "environment.yaml").read_text() == lock.environment(RUNTIME), "run `make lock`"


def test_the_lock_holds_what_pyproject_asks_for():
    import tomllib

    project = tomllib.loads((ENVS.parent / "pyproject.toml").read_text())["project"]
    pinned = {pin.partition("==")[0] for pin in lock.pins(EVERYTHING)}
    requirements = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    names = {re.split(r"[^A-Za-z0-9_.\-]", requirement, maxsplit=1)[0] for requirement in requirements}
    assert names <= pinned
    exact = {requirement for requirement in project["dependencies"] if "==" in requirement}
    assert exact <= {pin.partition(" ;")[0] for pin in lock.pins(RUNTIME)}


def test_container_conda_and_lock_name_the_same_versions():
    import tomllib

    root = ENVS.parent
    recipe = (ENVS / "dynamic-sparsity.def").read_text()
    (python,) = re.findall(r"^From: python:(\d+\.\d+)-", recipe, re.M)
    (condas,) = re.findall(r"^  - python=(\S+)$", (ENVS / "environment.yaml").read_text(), re.M)
    required = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"]
    assert python == condas == lock.PYTHON and required.startswith(f">={python},")
    assert "--require-hashes -r /opt/requirements.txt" in recipe and "envs/requirements.txt /opt/requirements.txt" in recipe
    assert recipe.count("pip install") == 1, "nothing but the lock is installed"
    common = (root / "workflow/rules/common.smk").read_text()
    (image,) = re.findall(r"^container: .*\"(.*)\"", common, re.M)
    assert f"apptainer build {image} envs/dynamic-sparsity.def" in recipe
    (environment,) = re.findall(r"^    \"(.*environment.yaml)\"$", common, re.M)
    rules = root / "workflow/rules"
    assert (rules / environment).resolve() == ENVS / "environment.yaml"
    blocks = [path.read_text() for path in rules.glob("*.smk")]
    assert sum(text.count("    conda:\n        ENVIRONMENT\n") for text in blocks) == sum(
        len(re.findall(r"^rule (?!no_such_)\w+:", text, re.M)) for text in blocks
    )
    (needed,) = re.findall(r'min_version\("(.*)"\)', (root / "Snakefile").read_text())
    assert f"snakemake=={needed}" in lock.pins(RUNTIME)
