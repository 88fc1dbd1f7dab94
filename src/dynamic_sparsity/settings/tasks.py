"""Lists of task names in config.yaml: every name is known, and none is repeated."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from dynamic_sparsity.settings.base import without_repeats
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE, unknown_task

TaskName = Annotated[str, Field(json_schema_extra={"enum": list(DM_CONTROL_SUITE)})]


def _distinct_tasks(tasks: list[str]) -> list[str]:
    if problem := unknown_task(tasks):
        raise ValueError(problem)
    return without_repeats(tasks)


TaskNames = Annotated[list[TaskName], AfterValidator(_distinct_tasks)]
