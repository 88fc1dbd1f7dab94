"""Messages about mistakes in a configuration: each names the key, the value and what is allowed."""

from __future__ import annotations

import difflib
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError


def explained(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each mistake that `model` found in the configuration."""
    return [_explain(problem, model) for problem in error.errors(include_url=False) if not _is_policys_false(problem)]


def _explain(problem: Any, model: type[BaseModel]) -> str:
    location = tuple(part for part in problem["loc"] if not _is_alternative(part))
    if location[-1:] == ("[key]",) and problem["type"] != "extra_forbidden":  # pydantic's mark for an invalid key
        location = location[:-1]
    key = ".".join(_readable(part) for part in location)
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        allowed = _fields_at(model, location[:-1])
        nearest = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        keys = f"the keys of this section are {', '.join(allowed)}" if allowed else "this section takes no keys"
        return f"  {key}: unknown key; {hint}{keys}"
    if problem["type"] == "missing":
        return f"  {key}: missing: add it (the project's config.yaml explains every key)"
    if problem["type"] == "value_error":
        return f"  {key}: {message}" if key else f"  {message}"
    if problem["type"] == "string_pattern_mismatch" and (description := _description_at(model, location)):
        return f"  {key}: {_shortened(problem['input'])} is not allowed. {description}"
    if problem["type"] in ("model_type", "dict_type"):
        allowed = ", ".join(_fields_at(model, location)) or "names of your choice"
        return f"  {key}: {_shortened(problem['input'])}: must be a mapping; its keys may be {allowed}"
    return f"  {key}: {_shortened(problem['input'])}: {message[0].lower()}{message[1:]}"


def _is_policys_false(problem: Any) -> bool:
    """Whether a problem only says that a policy's section is not `false`, which is the alternative to a section."""
    return any(isinstance(part, str) and part.startswith("literal[") for part in problem["loc"])


def _is_alternative(part: Any) -> bool:
    """Whether pydantic put the alternative of a union among the keys (`policies.noise.NoisePolicy.beta`)."""
    return isinstance(part, str) and (part.endswith("Policy") or part.startswith("literal["))


def _readable(part: Any) -> str:
    """A key as it stands in the file; shortened and quoted if it is very long or not printable."""
    text = str(part)
    return text if len(text) <= 80 and text.isprintable() else _shortened(text)


def _shortened(value: Any, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def _description_at(model: Any, location: tuple[Any, ...]) -> str | None:
    """The description of a key, or of the list that holds an entry; None for a name of the user's choice."""
    *section, name = (part for part in location if not isinstance(part, int))
    section_model = _model_at(model, tuple(section))
    fields = section_model.model_fields if section_model else {}
    return fields[name].description if name in fields else None


def _fields_at(model: Any, location: tuple[Any, ...]) -> list[str]:
    section_model = _model_at(model, location)
    return list(section_model.model_fields) if section_model else []


def _model_at(model: Any, location: tuple[Any, ...]) -> Any:
    """The settings model of the section at a location; None if a value or a name of the user's choice stands there."""
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
