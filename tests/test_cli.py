"""The command line. The pipeline tests cover what it prints about stores."""

import json
import shutil
from pathlib import Path

import pytest

from dynamic_sparsity import cli
from dynamic_sparsity.experts.expert import write_expert
from dynamic_sparsity.runtime import jax_setup
from dynamic_sparsity.study import study as studies
from tests.helpers.experts import make_expert

ROOT = Path(__file__).resolve().parents[1]


def test_tasks_prints_sizes_substeps_and_coordinates(capsys, monkeypatch):
    monkeypatch.setattr(jax_setup, "configure_jax", lambda: None)  # this process is configured already
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
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(studies.json_schema()))


def test_experts_prints_what_the_shipped_readme_says(capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    cli.main(["experts"])
    printed = capsys.readouterr().out
    assert printed.splitlines()[0].startswith("| expert | best at |") and "CartpoleBalance-0" in printed
    assert printed in (ROOT / "resources/policies/README.md").read_text(), "make it again: dynamic-sparsity experts"


def test_experts_elsewhere_says_where_to_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="--directory"):
        cli.main(["experts"])


def test_experts_says_which_file_is_a_checkpoint(tmp_path):
    write_expert(tmp_path / "last.safetensors", make_expert())
    reported = ROOT / "resources/paper/playground_returns.csv"
    with pytest.raises(SystemExit, match=r"last.safetensors does not say .*returns.* checkpoint"):
        cli.main(["experts", "--directory", str(tmp_path), "--reported", str(reported)])


def test_verify_reads_experts(capsys, tmp_path):
    good = ROOT / "resources/policies/CartpoleBalance-0.safetensors"
    bad = tmp_path / "bad.safetensors"
    bad.write_bytes(good.read_bytes()[:-9])
    with pytest.raises(SystemExit, match="1 of 2 are damaged"):
        cli.main(["verify", str(good), str(bad)])
    printed = capsys.readouterr().out
    assert f"{good}: sound" in printed and f"{bad}: damaged" in printed and "not a complete safetensors file" in printed


def test_verify_looks_into_folders_and_through_links(capsys, tmp_path):
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    shutil.copy(ROOT / "resources/policies/CartpoleBalance-0.safetensors", tmp_path / "elsewhere/deep/0.safetensors")
    (tmp_path / "results/0.zarr/x.zarr").mkdir(parents=True)  # a store that has lost all but a folder
    (tmp_path / "results/policies").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SystemExit, match=r"1 of 2 are damaged: delete [^ ]*/results/0.zarr and run snakemake again\. R"):
        cli.main(["verify", str(tmp_path / "results")])
    assert f"{tmp_path}/results/policies/deep/0.safetensors: sound" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="empty is not a store of this study, nor a folder with stores or experts"):
        cli.main(["verify", str(tmp_path / "empty")])


def test_verify_follows_no_circle_and_reads_nothing_twice(capsys, tmp_path):
    policies = tmp_path / "results/policies"
    policies.mkdir(parents=True)
    shutil.copy(ROOT / "resources/policies/CartpoleBalance-0.safetensors", policies / "0.safetensors")
    (tmp_path / "results/0.zarr").mkdir()
    (tmp_path / "results/again.zarr").symlink_to("0.zarr")
    (tmp_path / "results/more").symlink_to("policies")
    (policies / "up").symlink_to("..")
    (policies / "self").symlink_to(".")
    (policies / "nowhere").symlink_to("gone")
    with pytest.raises(SystemExit, match="1 of 2 are damaged"):
        cli.main(["verify", str(tmp_path / "results")])
    assert capsys.readouterr().out.count("/0.safetensors: sound") == 1


def test_inspect_reads_an_experts_file_whatever_its_name(capsys, tmp_path):
    shutil.copy(ROOT / "resources/policies/CartpoleBalance-0.safetensors", tmp_path / "0.safetensors")
    cli.main(["inspect", str(tmp_path / "0.safetensors")])
    printed = capsys.readouterr().out
    assert "task: CartpoleBalance" in printed and "policy/0/kernel[5, 64] float32" in printed
