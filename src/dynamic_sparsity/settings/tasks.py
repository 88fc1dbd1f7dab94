"""Names of tasks in config.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from dynamic_sparsity.settings.base import without_repeats
from dynamic_sparsity.tasks.names import DM_CONTROL_SUITE, unknown_task

TaskName = Annotated[str, Field(json_schema_extra={"enum": list(DM_CONTROL_SUITE)})]


def _distinct_tasks(tasks: list[str]) -> list[str]:
    if wrong := unknown_task(tasks):
        raise ValueError(wrong)
    return without_repeats(tasks)


TaskNames = Annotated[list[TaskName], AfterValidator(_distinct_tasks)]
