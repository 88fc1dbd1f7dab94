"""Whether masked models recover known masks better than the plain MLP, on two systems written by hand."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

MODELS = {
    "mlp": {"width": 64},
    "untrained": {"width": 64, "trained": False},
    "sae_j": {"width": 64, "jacobian_loss": "sae"},
    "gated, weight 0.01": {"network": "gated", "width": 256},
    "gated, weight 0.1": {"network": "gated", "width": 256, "mask_weight": 0.1},
    "attention, weight 0.01": {"network": "attention", "width": 256, "depth": 1},
    "attention, weight 0.1": {"network": "attention", "width": 256, "depth": 1, "mask_weight": 0.1},
}
SEEDS = (0, 1, 2)
ZERO = 1e-6


def measure() -> list[dict[str, object]]:
    """One row per system, model and basis: AUROC, skill within entries, F1 of exact zeros; mean, range over seeds."""
    return list(_rows())


def _rows() -> Iterator[dict[str, object]]:
    from dynamic_sparsity.runtime.jax_setup import configure_jax

    configure_jax(threads=1, large_batches=True)
    import numpy as np
    from tests.helpers import systems

    from dynamic_sparsity.settings.world_models import WorldModelSettings, WorldModelTraining
    from dynamic_sparsity.world_models import scores
    from dynamic_sparsity.world_models.data import Transitions
    from dynamic_sparsity.world_models.evaluation import Evaluator
    from dynamic_sparsity.world_models.training import Trainer

    masses = zip(*map(systems.colliding_masses, range(4)), strict=True)  # rollouts, Jacobians, sparsity
    system_data = {
        "switched linear": (systems.switched(steps=2000), systems.SWITCHED),
        "colliding masses": (Transitions.of_stores(*masses, change=False), systems.MASSES),
    }
    training = WorldModelTraining(epochs=60, batch=32, patience=60, learning_rate=0.003)
    for system, (transitions, tree) in system_data.items():
        for name, model in MODELS.items():
            results: dict[str, list[tuple[float, float, float]]] = {}
            for seed in SEEDS:
                parts, standardise, test = systems.parts_of(transitions, seed)
                trainer = Trainer(WorldModelSettings.model_validate(model), training, parts, tree, seed)
                with contextlib.redirect_stdout(io.StringIO()):  # training prints a line per epoch
                    network = trainer.run().network
                evaluator = Evaluator(network, standardise, change=False)
                scaled = np.abs(evaluator.jacobians(test)) * standardise.input_scale / standardise.output_scale[:, None]
                masks = evaluator.masks(test)
                for basis, magnitude in {"jacobian": scaled, "mask": None if masks is None else masks * 1.0}.items():
                    if magnitude is not None:
                        by_entry = 2 * scores.auroc_by_entry(magnitude, test.zero) - 1
                        f1 = scores.zero_f1(magnitude, test.zero, ZERO)
                        results.setdefault(basis, []).append((scores.auroc(magnitude, test.zero), by_entry, f1))
            for basis, rows in results.items():
                row: dict[str, object] = {"system": system, "model": name, "basis": basis}
                for label, values in zip(("auroc", "skill_by_entry", "f1_of_zeros"), np.array(rows).T, strict=True):
                    row |= {label: values.mean(), f"{label}_least": values.min(), f"{label}_most": values.max()}
                yield row
