"""Stage policies: train an expert for one task and seed, evaluate it, and write it as one file."""

from __future__ import annotations

import shutil
from pathlib import Path

from dynamic_sparsity.experts import expert as experts
from dynamic_sparsity.files import locks
from dynamic_sparsity.runtime.jax_setup import FASTER_FUSED, configure_jax
from dynamic_sparsity.settings.training import PolicyStage
from dynamic_sparsity.stages import _common
from dynamic_sparsity.stores.provenance import code_versions


def main() -> None:
    """Parse, train or resume, evaluate, write; the checkpoints go when the expert is there."""
    options = _common.parser(__doc__)
    options.add_argument("--task", required=True)
    options.add_argument("--seed", required=True, type=int)
    options.add_argument("--checkpoints", required=True, type=Path, help="directory that outlives a killed job")
    given = options.parse_args()
    stage = PolicyStage.model_validate_json(given.settings)
    given.checkpoints.mkdir(parents=True, exist_ok=True)
    locks.lock(given.checkpoints, str(given.output))
    configure_jax(threads=given.threads, large_batches=given.task in FASTER_FUSED, accelerator=True)

    from dynamic_sparsity.simulation.evaluation import evaluated
    from dynamic_sparsity.simulation.recipes import episode_length, ppo_settings
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.training import Trainer, without_training_state

    task = load_task(given.task)
    ppo = ppo_settings(task.name, stage.training)
    expert = without_training_state(Trainer(task, given.seed, ppo, given.checkpoints).run())
    returns = evaluated(task, expert, stage.training.evaluation_episodes, episode_length(task.name))
    provenance = {**expert.provenance, "returns": returns, **code_versions()}
    locks.check_not_refused(given.checkpoints, str(given.output))
    experts.write_expert(given.output, experts.Expert(expert.tensors, provenance))
    shutil.rmtree(given.checkpoints)


if __name__ == "__main__":
    _common.run(main)
