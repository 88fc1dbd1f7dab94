"""The project's config.yaml, and copies of it with a changed value."""

import copy
from pathlib import Path
from typing import Any

import yaml

from dynamic_sparsity.study.study import Study

ROOT = Path(__file__).resolve().parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path: str, value) -> dict[str, Any]:
    config = copy.deepcopy(CONFIG)
    *parents, last = path.split(".")
    section = config
    for key in parents:
        section = section[key]
    section[last] = value
    return config


def notice_of(study: Study) -> str:
    """The notice of a study that has one."""
    assert study.notice is not None
    return study.notice
