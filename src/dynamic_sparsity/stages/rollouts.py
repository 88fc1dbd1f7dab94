"""Stage rollouts: record episodes of one task under one policy, and prove that every step replays."""

from __future__ import annotations

import argparse
from pathlib import Path

from dynamic_sparsity.experts import expert as experts
from dynamic_sparsity.runtime.jax_setup import configure_jax
from dynamic_sparsity.runtime.progress import progress
from dynamic_sparsity.settings.rollouts import RolloutStage
from dynamic_sparsity.stages import _common
from dynamic_sparsity.stores.provenance import provenance
from dynamic_sparsity.stores.writing import EpisodeWriter


def main() -> None:
    """Parse, roll out, prove, write."""
    arguments = _arguments()
    stage = RolloutStage.model_validate_json(arguments.settings)
    is_trained = stage.policies.expert and stage.policies.expert.source == "train"
    remedy = experts.RETRAIN if is_trained else experts.REMEDY
    expert = experts.read_expert(arguments.expert, arguments.task, remedy) if arguments.expert else None
    configure_jax(threads=arguments.threads)

    from dynamic_sparsity.simulation import proof
    from dynamic_sparsity.simulation.policies import make_policy
    from dynamic_sparsity.simulation.replay import Replayer
    from dynamic_sparsity.simulation.rollout import Roller, rollout_dataset
    from dynamic_sparsity.simulation.tasks import load_task

    task = load_task(arguments.task)
    roller = Roller(task, make_policy(arguments.policy, stage.policies, expert))
    if expert:
        experts.check_finished(arguments.expert, expert, remedy)
        experts.check_sizes(arguments.expert, expert, roller.observation_size, task.model.nu, remedy)
    replayer = Replayer(arguments.task)
    episodes, steps = stage.rollouts.episodes, stage.rollouts.steps
    attrs = provenance(
        "rollouts",
        stage.model_dump(),
        task=task.name,
        policy=arguments.policy,
        seed=arguments.seed,
        control_timestep=task.control_timestep,
        substeps=task.substeps,
        **{proof.ATTRIBUTE: proof.proof_code()},  # the store appears only once every step is proved
        **({"expert": expert.provenance} if expert else {}),
    )
    worst = 0.0
    with EpisodeWriter(arguments.output, episodes, attrs) as writer:
        for number in progress(range(episodes), total=episodes, label=f"rollouts {task.name}"):
            episode = roller.episode(arguments.seed, number, steps).trimmed()
            worst = max(worst, replayer.prove(episode.start, episode.next_state, number))
            writer.write(rollout_dataset(episode, task.coordinates, steps))
    print(f"{task.name}: every recorded step replays; largest relative difference {worst:.2g}")


def _arguments() -> argparse.Namespace:
    options = _common.parser(__doc__)
    options.add_argument("--task", required=True)
    options.add_argument("--policy", required=True)
    options.add_argument("--seed", required=True, type=int)
    options.add_argument("--expert", nargs="?", type=Path, help="file of the expert, for the policy `expert`")
    return options.parse_args()


if __name__ == "__main__":
    _common.run(main)
