"""What is wrong with a configuration, in words that name key, value and what is allowed."""

from __future__ import annotations

import difflib
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError


def explained(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per mistake in what `model` was to validate."""
    return [_explain(problem, model) for problem in error.errors(include_url=False) if not _is_policys_false(problem)]


def _explain(problem: Any, model: type[BaseModel]) -> str:
    location = tuple(part for part in problem["loc"] if not _is_alternative(part))
    if location[-1:] == ("[key]",) and problem["type"] != "extra_forbidden":  # pydantic's mark of what is wrong as a key
        location = location[:-1]
    key = ".".join(_readable(part) for part in location)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        where = f"allowed here: {', '.join(allowed)}" if allowed else "this section takes no keys"
        return f"  {key}: unknown key; {hint}{where}"
    if problem["type"] == "missing":
        return f"  {key}: missing; add it (config.yaml documents every key)"
    if problem["type"] == "value_error":
        return f"  {key}: {message}" if key else f"  {message}"
    if problem["type"] == "string_pattern_mismatch" and (what := _description_at(model, location)):
        return f"  {key}: {_shortened(problem['input'])}: must be one of: {what}"
    if problem["type"] in ("model_type", "dict_type"):
        allowed = ", ".join(_fields_at(model, location)) or "names of your choice"
        return f"  {key}: {_shortened(problem['input'])}: must be a mapping; its keys may be {allowed}"
    return f"  {key}: {_shortened(problem['input'])}: {message[0].lower()}{message[1:]}"


def _is_policys_false(problem: Any) -> bool:
    """Whether a problem is only that a policy's section is not the `false` that it might have been."""
    return any(isinstance(part, str) and part.startswith("literal[") for part in problem["loc"])


def _is_alternative(part: Any) -> bool:
    """Pydantic puts the alternatives of a union among the keys: `policies.noise.NoisePolicy.beta`."""
    return isinstance(part, str) and (part.endswith("Policy") or part.startswith("literal["))


def _readable(part: Any) -> str:
    """A key as it stands in the file, unless it is endless or not printable."""
    text = str(part)
    return text if len(text) <= 80 and text.isprintable() else _shortened(text)


def _shortened(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _description_at(model: Any, location: tuple[Any, ...]) -> str | None:
    """What config.yaml says about a key, or about the list of which it is an entry; None for a name of the user's choice."""
    *section, name = (part for part in location if not isinstance(part, int))
    found = _model_at(model, tuple(section))
    return found.model_fields[name].description if found and name in found.model_fields else None


def _fields_at(model: Any, location: tuple[Any, ...]) -> list[str]:
    found = _model_at(model, location)
    return list(found.model_fields) if found else []


def _model_at(model: Any, location: tuple[Any, ...]) -> Any:
    """The section there; None where a value is, or a name of the user's choice."""
    parts = [part for part in location if not isinstance(part, int)]
    while parts:
        annotation = model.model_fields[parts.pop(0)].annotation
        if get_origin(annotation) is dict:  # the next part is a name of the user's choice
            if not parts:
                return None
            parts.pop(0)
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        model = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
        if model is None:
            return None
    return model
