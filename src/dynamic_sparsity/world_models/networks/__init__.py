"""Networks that predict the next state from state and controls, one module each.

Each module has a function `make` that takes the kinematic tree of the variables, the settings with the network's size,
and random numbers. A network maps one sample of standardised inputs to standardised outputs. The method `mask` of a
network with masks says which inputs each output may depend on.
"""

from __future__ import annotations

import importlib
from types import ModuleType

from flax import nnx

from dynamic_sparsity.settings.world_models import WorldModelSettings
from dynamic_sparsity.tasks.kinematic_tree import KinematicTree
from dynamic_sparsity.world_models.networks.base import Network

__all__ = ["Network", "make_network", "reads_tree"]


def make_network(tree: KinematicTree, model: WorldModelSettings, rngs: nnx.Rngs) -> Network:
    """The network of a world model, with initial weights drawn from `rngs`."""
    return _module(model).make(tree, model, rngs)


def reads_tree(model: WorldModelSettings) -> bool:
    """Whether the network depends on the kinematic tree, and not only on the number of variables."""
    return getattr(_module(model), "READS_TREE", False)


def _module(model: WorldModelSettings) -> ModuleType:
    return importlib.import_module(f"{__name__}.{model.network}")
