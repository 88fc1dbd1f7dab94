"""Stage world_models: train one world model of one task and policy, and write down what it says of the test episodes."""

from __future__ import annotations

from pathlib import Path

from dynamic_sparsity import runtime, settings, stores
from dynamic_sparsity.stages import _common


def main() -> None:
    """Parse, read, train, evaluate, write."""
    options = _common.parser(__doc__)
    for name in ("rollout", "jacobian", "sparsity"):
        options.add_argument(f"--{name}", required=True, nargs="+", type=Path)
    options.add_argument("--seed", required=True, type=int)
    options.add_argument("--checkpoint", required=True, type=Path)
    given = options.parse_args()
    stage = settings.WorldModelStage.model_validate_json(given.settings)
    runtime.configure_jax(threads=given.threads, large_batches=True)

    from dynamic_sparsity.world_models import report

    kinds = {"rollouts": given.rollout, "jacobians": given.jacobian, "sparsity": given.sparsity}
    seeds = {kind: stores.open_seeds(paths, kind) for kind, paths in kinds.items()}
    ((name, model),) = stage.world_models.models.items()
    result = report.trained_and_evaluated(model, stage.world_models, seeds, given.seed, given.checkpoint)
    identity = {**stores.identity_of(*seeds["sparsity"]), "model": name, "training_seed": given.seed}
    result.attrs |= stores.provenance("world_models", stage.model_dump(exclude_none=True), **identity)
    stores.write_store(given.output, result)
    given.checkpoint.unlink(missing_ok=True)


if __name__ == "__main__":
    _common.run(main)
