"""Which degree of freedom hangs on which, and where the variables of state and control sit: what a graph network knows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KinematicTree:
    """The tree of one model; nodes are its degrees of freedom."""

    parents: tuple[int, ...]
    """Of each degree of freedom: the one before it on the way to the world, or -1."""
    of_inputs: tuple[tuple[int, ...], ...]
    """Of each input (position, velocity, activation, control): the degrees of freedom that it belongs to or drives."""
    of_outputs: tuple[int, ...]
    """Of each output: the degree of freedom that it is read from."""

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return len(self.of_inputs)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.of_outputs)

    @classmethod
    def of_one_body(cls, inputs: int, outputs: int) -> KinematicTree:
        """All variables on one degree of freedom: for networks that do not look at the tree."""
        return cls(parents=(-1,), of_inputs=((0,),) * inputs, of_outputs=(0,) * outputs)
