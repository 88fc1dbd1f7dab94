"""Stage policies: train an expert for one task and study seed, evaluate it, and write it as one file."""

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
    """Parse, train or resume, evaluate, write. Checkpoints are deleted once the expert is written."""
    options = _common.parser(__doc__)
    options.add_argument("--task", required=True)
    options.add_argument("--seed", required=True, type=int)
    options.add_argument(
        "--checkpoints", required=True, type=Path, help="directory of checkpoints, from which a killed job resumes"
    )
    arguments = options.parse_args()
    stage = PolicyStage.model_validate_json(arguments.settings)
    arguments.checkpoints.mkdir(parents=True, exist_ok=True)
    locks.lock(arguments.checkpoints, str(arguments.output))
    configure_jax(threads=arguments.threads, large_batches=arguments.task in FASTER_FUSED, accelerator=True)

    from dynamic_sparsity.simulation.evaluation import evaluated
    from dynamic_sparsity.simulation.recipes import episode_length, ppo_settings
    from dynamic_sparsity.simulation.tasks import load_task
    from dynamic_sparsity.simulation.training import Trainer, without_training_state

    task = load_task(arguments.task)
    ppo = ppo_settings(task.name, stage.training)
    expert = without_training_state(Trainer(task, arguments.seed, ppo, arguments.checkpoints).run())
    returns = evaluated(task, expert, stage.training.evaluation_episodes, episode_length(task.name))
    provenance = {**expert.provenance, "returns": returns, **code_versions()}
    locks.check_not_refused(arguments.checkpoints, str(arguments.output))
    experts.write_expert(arguments.output, experts.Expert(expert.tensors, provenance))
    shutil.rmtree(arguments.checkpoints)


if __name__ == "__main__":
    _common.run(main)
