"""Headless rendering: chooses an OpenGL back end that works on this machine, before mujoco is imported."""

from __future__ import annotations

import os
import subprocess
import sys

_VARIABLE = "MUJOCO_GL"
_BACK_ENDS = ("egl", "osmesa")
_PROBE = "import mujoco; mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 32, 32).render()"


def choose_back_end() -> str | None:
    """Sets MUJOCO_GL to the first back end that can render (the user's own, EGL, OSMesa) and returns it, or None.

    Each back end is tried in a process of its own, because mujoco chooses at import and a broken driver may crash.
    Raises RuntimeError if mujoco has been imported already.
    """
    if "mujoco" in sys.modules:
        raise RuntimeError("choose_back_end must be called before mujoco is imported")
    users_choice = os.environ.get(_VARIABLE)
    for name in dict.fromkeys([users_choice, *_BACK_ENDS] if users_choice else _BACK_ENDS):
        if _renders(name):
            os.environ[_VARIABLE] = name
            return name
    return None


def _renders(name: str) -> bool:
    """Whether the back end `name` renders an empty scene within a minute."""
    environment = {**os.environ, _VARIABLE: name}
    try:
        process = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return process.returncode == 0
