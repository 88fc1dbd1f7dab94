"""Rendered frames of recorded states."""

from __future__ import annotations

import mujoco
import numpy as np
import xarray as xr
from jaxtyping import Float, Int, UInt8

from dynamic_sparsity.settings.frames import FrameSettings
from dynamic_sparsity.simulation.tasks import Task


def frames_along(
    task: Task, episode: xr.Dataset, sequence: Int[np.ndarray, " steps"], settings: FrameSettings, back_end: str | None
) -> xr.Dataset:
    """Frames spaced evenly along `sequence`, consecutive steps of one episode of a rollout store.

    `image` (frame, row, column, rgb): uint8. `step` (frame): the control step whose start the image shows.
    There are no frames if `back_end` is None, where nothing can render.
    """
    evenly = np.linspace(sequence.min(), sequence.max(), settings.count).round().astype(int)
    steps = np.unique(evenly) if back_end else evenly[:0]
    images = np.zeros((0, settings.size, settings.size, 3), np.uint8)
    if back_end:
        images = render(task, episode.qpos.values[steps], episode.mocap_pos.values, settings.size)
    return xr.Dataset({"image": (("frame", "row", "column", "rgb"), images), "step": ("frame", steps)})


def render(
    task: Task, qpos: Float[np.ndarray, "frames nq"], mocap_pos: Float[np.ndarray, "mocap 3"], size: int
) -> UInt8[np.ndarray, "frames size size rgb"]:
    """One image of `size` × `size` pixels per position, from the model's first camera (the free one if it has none)."""
    model, data = task.model, mujoco.MjData(task.model)
    model.vis.global_.offwidth, model.vis.global_.offheight = (
        max(size, pixels) for pixels in (model.vis.global_.offwidth, model.vis.global_.offheight)
    )
    camera = 0 if model.ncam else -1
    data.mocap_pos[:] = mocap_pos
    images = []
    with mujoco.Renderer(model, size, size) as renderer:
        for position in qpos:
            data.qpos[:] = position
            mujoco.mj_forward(model, data)
            renderer.update_scene(data, camera=camera)
            images.append(renderer.render())
    return np.array(images, np.uint8)
