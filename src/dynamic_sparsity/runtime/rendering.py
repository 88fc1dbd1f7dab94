"""Headless rendering: which of MuJoCo's OpenGL back ends works here, found before mujoco is imported."""

from __future__ import annotations

import os
import subprocess
import sys

_VARIABLE = "MUJOCO_GL"
_BACK_ENDS = ("egl", "osmesa")
_PROBE = "import mujoco; mujoco.Renderer(mujoco.MjModel.from_xml_string('<mujoco/>'), 32, 32).render()"


def choose_back_end() -> str | None:
    """Set MUJOCO_GL to the first back end that renders here (the user's own, EGL, OSMesa); None where none does.

    Each is tried in a process of its own: mujoco chooses at import, and a broken driver may crash.
    """
    if "mujoco" in sys.modules:
        raise RuntimeError("choose_back_end must be called before mujoco is imported")
    own = os.environ.get(_VARIABLE)
    for name in dict.fromkeys([own, *_BACK_ENDS] if own else _BACK_ENDS):
        if _renders(name):
            os.environ[_VARIABLE] = name
            return name
    return None


def _renders(name: str) -> bool:
    environment = {**os.environ, _VARIABLE: name}
    try:
        done = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
