"""Untrusted configurations give a valid study or one clear message, and never a path outside results/."""

import contextlib
import json
import os
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from snakemake.common.configfile import load_configfile

from dynamic_sparsity.errors import UserError
from dynamic_sparsity.study import config_file, dependencies, paths
from dynamic_sparsity.study import study as studies

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "config.yaml").read_text()
CONFIG = yaml.safe_load(TEXT)
PATTERNS = sorted(
    set(
        re.findall(
            r'"(results/[^"]*\{[^"]*)"',
            "\n".join(p.read_text() for p in [*ROOT.glob("workflow/rules/*"), Path(paths.__file__)]),
        )
    )
)

HOSTILE = st.sampled_from(
    [
        *(
            "../../etc/passwd",
            "/etc/passwd",
            "a b",
            "$(touch pwned)",
            "`touch pwned`",
            "; touch pwned",
            "a\nb",
            "a\x00b",
            "-rf",
        ),
        *(
            "{task}",
            "{{seed}}",
            "%s",
            "CartpoleBalance/..",
            "..",
            ".",
            "",
            "~",
            "é",
            "𝟙",
            "A" * 5000,
            "__class__",
            "NaN",
            "1e999",
        ),
        *(float("nan"), float("inf"), -float("inf"), 10**400, -1, 2**63, True, None, 0.1, [], {}, b"bytes"),
        *(
            "?__import__('os').system('touch pwned')",
            "2024-13-45",
            "0b_",
            "0x_",
            "=",
            "<<",
            "__use_yte__",
            "__definitions__",
        ),
        *("expert", "noise", "mlp", "true", "null", "CartpoleBalance", "unrolled-converged", "finite-float32"),
    ]
)
KEYS = HOSTILE.filter(lambda value: not isinstance(value, list | dict)) | st.text(max_size=10)
VALUES = st.recursive(
    HOSTILE | st.integers() | st.floats() | st.text(max_size=20) | st.dates(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)


def locations(value, path=()):
    """The path (keys and indices) of every value in a nested configuration."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from locations(inner, (*path, key))


PLACES = [place for place in locations(CONFIG) if place]


def put(config, place, value):
    *parents, last = place
    for parent in parents:
        config = config[parent]
    config[last] = value


def assert_stays_in_results(study):
    """Assert that all paths of the workflow for this study are below results/, and are valid file names."""
    names = {
        "task": study.tasks,
        "policy": study.policies.names,
        "method": [study.jacobians.variant, *study.ablation.ways],
        "seed": [*study.seeds, *study.world_models.seeds],
        "model": list(study.world_models.models),
        "figure": ["agents"],
        "table": ["claims"],
        "kind": ["csv"],
    }
    for pattern in PATTERNS:
        for name, values in names.items():
            for value in values:
                path = pattern.format(**{key: values[0] for key, values in names.items()} | {name: value})
                assert os.path.normpath(path) == path and path.startswith("results/"), path
                assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", part) for part in path.split("/")), path


def tried(config):
    """The study of a configuration, or None if a message refuses it."""
    assert not Path("pwned").exists()
    try:
        study = studies.load_study(config)
    except UserError as error:
        lines = str(error).splitlines()
        assert len(lines) > 1 and max(map(len, lines)) < 2000
        return None
    assert_stays_in_results(study)
    for policy in study.policies.names:
        for stage in ("rollouts", "jacobians", "patterns", "recovery"):
            json.loads(dependencies.stage_settings(study, stage, policy))
    return study


@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=3))
@example([(("world_models", "models"), {"a" * 65: {}})])
@example([(("world_models", "models"), {"../x": {}})])
@example([(("seeds",), [True])])
@example([(("tasks", 0), "A" * 5000)])
def test_any_value_anywhere_is_a_study_or_a_message(changes):
    config = yaml.safe_load(TEXT)
    for place, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change has replaced a parent
            put(config, place, value)
    tried(config)


@given(st.dictionaries(st.sampled_from([*CONFIG, "nothing"]) | KEYS, VALUES, max_size=6))
@example({"tasks": [], "[key]": {}})
@example({"rollouts": {"[key]": 1}})
def test_any_mapping_is_a_study_or_a_message(config):
    tried(config)


def read(path):
    """The study of a file, read as the workflow does: checked, then built, then validated."""
    try:
        config_file.check(path)
    except UserError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)  # noqa: PT017
        return None
    return tried(load_configfile(path))


PIECES = st.sampled_from(
    [
        *(
            "__use_yte__: true\n",
            "? __use_yte__",
            "2024-13-45",
            "2024-01-01 99:99:99",
            "0x_",
            "1" * 5000,
            "<<: 5\n",
            "= : 1\n",
        ),
        "&a ",
        "*a",
        "<<: *a\n",
        "!!python/name:os.system ",
        "!x ",
        "? ",
        "- ",
        ": ",
        "[",
        "]",
        "{",
        "}",
        "'",
        '"',
        "\t",
        "|\n",
    ]
)


@given(st.data())
def test_a_mangled_file_is_a_study_or_a_message(tmp_path_factory, data):
    at = st.integers(0, len(TEXT))
    text = TEXT
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(at)
        end = start + data.draw(st.integers(0, 40))
        text = text[:start] + data.draw(PIECES | st.text(max_size=10)) + text[end:]
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    read(path)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes_are_a_study_or_a_message(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "config.yaml"
    path.write_bytes(content)
    assert read(path) is None


def billion_laughs(levels):
    lines = ["a0: &a0 {x: 1}"] + [
        f"a{i}: &a{i} {{{', '.join(f'k{j}: *a{i - 1}' for j in range(10))}}}" for i in range(1, levels)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (billion_laughs(30), "aliases expand to more than"),
        ("tasks: " + "[" * 50_000, "nested deeper than"),
        ("tasks: &a [*a]", "a value that contains it"),
        ("tasks: *a", "refers to nothing"),
        ("tasks: !!python/object/apply:os.system ['touch pwned']", "tag"),
        ("seeds: [0]\nseeds: [1]", "second time"),
        ("- tasks", "must be a mapping"),
        ("? [a]\n: 1", "key must be text"),
        ("a: 1\n---\na: 2", "second document"),
        ("", "is empty"),
        ("# nothing", "is empty"),
        ("a: " + "x" * 2**21, "MiB large"),
        ("tasks: [", "not YAML"),
        ("__use_yte__: true\n__definitions__: ['import os; os.system(\"touch pwned\")']\n", "as Python"),
        ('<<: {"\\x5f_use_yte__": true}\nx: \'?open("pwned", "w")\'\n', "as Python"),
        ("seeds: 2024-13-45", "cannot be read"),
        ("seeds: [0b_]", "cannot be read"),
        (f"seeds: [{'1' * 5000}]", "cannot be read"),
        ("<<: 5", "not YAML"),
    ],
)
def test_harmful_files_are_refused_before_values_are_built(tmp_path, content, message):
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        config_file.check(path)
    assert not (tmp_path / "pwned").exists()


def test_anchors_and_merges_of_moderate_size_are_fine(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("x: &a {k: 1}\ny: {<<: *a, <<: *a, z: *a}\n")
    config_file.check(path)


def test_the_studies_of_this_project_pass():
    for path in (ROOT / "config.yaml", *(ROOT / "workflow/studies").glob("*.yaml")):
        config_file.check(path)


def test_the_patterns_of_paths_are_found():
    assert "results/world_models/{task}/{policy}/{method}/{model}/{seed}.zarr" in PATTERNS and len(PATTERNS) > 40


def test_another_encoding_is_named(tmp_path):
    (tmp_path / "config.yaml").write_bytes("seeds: [0]".encode("utf-16"))
    with pytest.raises(UserError, match="is not UTF-8"):
        config_file.check(tmp_path / "config.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        config_file.check(tmp_path / "config.yaml")
