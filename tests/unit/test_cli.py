"""The command line's own words; what it says of stores is in the pipeline tests."""

import json

import pytest

from dynamic_sparsity import cli, runtime, settings


def test_tasks_prints_sizes_substeps_and_coordinates(capsys, monkeypatch):
    monkeypatch.setattr(runtime, "configure_jax", lambda: None)  # this process has done that
    cli.main(["tasks", "CheetahRun", "FishSwim"])
    lines = capsys.readouterr().out.splitlines()
    cheetah = next(line for line in lines if line.startswith("CheetahRun")).split()
    assert cheetah[1:6] == ["9", "9", "0", "6", "1"] and cheetah[8] == "rootx"
    fish = next(line for line in lines if line.startswith("FishSwim")).split()
    assert fish[1:6] == ["14", "13", "0", "5", "20"] and "root:rz" in fish
    assert any("ctrl:ffoot" in line for line in lines)


def test_an_unknown_task_is_one_message(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(["tasks", "CheetahRum"])
    assert "CheetahRum" in str(caught.value) and "CheetahRun" in str(caught.value)


def test_schema_prints_the_schema(capsys):
    cli.main(["schema"])
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(settings.json_schema()))
