"""The default study, and copies of it with a changed value; config.yaml itself may hold a user's study."""

import copy
from pathlib import Path
from typing import Any

from dynamic_sparsity.study.study import Study, load_study

ROOT = Path(__file__).resolve().parents[2]
TASKS = [
    *("BallInCup", "CartpoleBalance", "CheetahRun", "ReacherHard"),
    *("FingerSpin", "FingerTurnEasy", "WalkerRun", "SwimmerSwimmer6"),
]
CONFIG = load_study({"tasks": TASKS, "policies": {"expert": {}, "noise": {}}, "seeds": [0, 1]}).model_dump()
CONFIG["policies"] = {name: policy or False for name, policy in CONFIG["policies"].items()}


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
