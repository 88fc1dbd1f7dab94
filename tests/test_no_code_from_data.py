"""No file of this repository runs data as code: none unpickles, evaluates text, loads unsafe YAML or starts a shell."""

import pytest

from tests.helpers.unsafe_code import ROOT, files_of_the_tree, in_python, in_text, unsafe_files, walked


def test_there_are_files_to_check():
    files = [path.relative_to(ROOT) for path in files_of_the_tree()]
    assert sum(path.suffix == ".py" for path in files) > 100
    assert {"Snakefile", "src", "tests", "envs", "workflow", "docs", "Makefile"} <= {path.parts[0] for path in files}


def test_without_git_the_folders_are_walked():
    assert {path for path in files_of_the_tree() if path.suffix in (".py", ".smk")} <= set(walked(ROOT))


def test_nothing_in_the_tree_runs_data():
    assert not unsafe_files(files_of_the_tree())


def test_files_of_any_kind_are_checked(tmp_path):
    contents = {"a.py": "eval(x)", "b": "#!/usr/bin/env python\nimport os as o\no.system(x)", "c.yaml": "x: eval(y)"}
    for name, text in {**contents, "fine.py": "x = 'eval(y)'", "binary": "eval(x)\0"}.items():
        (tmp_path / name).write_text(text)
    assert set(unsafe_files(tmp_path.iterdir())) == {str(tmp_path / name) for name in contents}


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "import pickle as p",
        "import os, marshal",
        "import joblib.externals",
        "from pickle import loads",
        "from cloudpickle import load",
        "def f():\n    from dill import load",
        "import shelve",
        "importlib.import_module('pickle')",
        "eval('1')",
        "exec(text)",
        "compile(text, 'name', 'exec')",
        "__import__(name)",
        "builtins.eval(text)",
        "from builtins import exec",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=trusted)",
        "pd.read_pickle(path)",
        "yaml.load(text)",
        "yaml.load(text, yaml.Loader)",
        "yaml.load(text, Loader=yaml.UnsafeLoader)",
        "yaml.load_all(text)",
        "yaml.unsafe_load(text)",
        "yaml.full_load(text)",
        "from yaml import load",
        "subprocess.run(command, shell=True)",
        "subprocess.run(command, shell=1)",
        "os.system(command)",
        "os.popen(command)",
        "from os import system",
        "from os import system as s",
        "import os as o\no.system(command)",
        "import os\nrun = os.system",
        "import yaml as y\ny.load(text)",
        "import yaml as y\ny.unsafe_load(text)",
        "subprocess.getoutput(command)",
        "from subprocess import getstatusoutput",
        "import subprocess as sp\nsp.getstatusoutput(command)",
        "subprocess.Popen(command, -1, None, None, None, None, None, True, True)",
        "asyncio.create_subprocess_shell(command)",
        "from asyncio import create_subprocess_shell as start",
        "pd.eval(text)",
        "import pandas\npandas.eval(text)",
        "import pandas as p\np.eval(text)",
        "frame.query(text)",
        "frame.eval(text)",
        "frame.groupby('a').sum().query(expr=text)",
        "import runpy",
        "from runpy import run_path",
        "getattr(builtins, name)",
        "import builtins as b\ngetattr(b, 'ev' + 'al')",
        "getattr(__builtins__, 'eval')",
        "getattr(os, 'system')(command)",
        "np.load(path, None, True)",
        "import numpy as n\nn.load(path, None, trusted)",
        "from numpy import load\nload(path, None, True)",
        "np.save(path, array, True)",
        "import yte",
        "from yte import process_yaml",
        "from importlib import import_module as load\nload('pickle')",
    ],
)
def test_what_runs_data_is_found(bad):
    assert in_python(f"x = 1\n{bad}\n")


@pytest.mark.parametrize(
    "good",
    [
        "import pickleball",
        "re.compile(pattern)",
        "lowered.compile()",
        "jax.jit(f).lower(x).compile(options)",
        "model.eval()",
        "project.popen(command)",
        "yaml.safe_load(text)",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "yaml.load(text, yaml.CSafeLoader)",
        "json.load(file)",
        "np.load(path, allow_pickle=False)",
        "subprocess.run(command, shell=False)",
        "platform.system",
        "importlib.import_module('dynamic_sparsity.stages')",
        "text = 'import pickle'",
        "np.load(path, None, False)",
        "import os as o\no.getpid()",
        "getattr(os, 'sched_setaffinity')",
        "getattr(model, name)",
        "query = frame['query']",
    ],
)
def test_what_runs_no_data_is_let_through(good):
    assert not in_python(good)


@pytest.mark.parametrize(
    "bad",
    [
        "import pickle",
        "    from joblib import load",
        "x = eval(config['x'])",
        "        exec (text)",
        "x = yaml.load(file)",
        "yaml.unsafe_load(file)",
        "run(command, shell=True)",
        "os.system('rm')",
        "np.load(x, allow_pickle = True)",
        "x = '#' + eval(y)",
        "shell('echo \"#\"'); os.system(x)",
        "subprocess.getoutput(x)",
        "pd.eval(x)",
        "frame.query(x)",
        "import yte",
    ],
)
def test_a_rule_that_runs_data_is_found(bad):
    assert in_text(f"rule all:\n{bad}\n")


@pytest.mark.parametrize("good", ["    shell:", "re.compile(x)", "# never eval(x)", "yaml.safe_load(x)", "evaluate(x)"])
def test_a_rule_that_runs_no_data_is_let_through(good):
    assert not in_text(good)
