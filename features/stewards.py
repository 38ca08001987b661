"""Who keeps each source running?

In: the heads of the mappings that come with us (``steward``) and, stronger, ``stewards.yaml`` in the home: one line
``source_system: who`` per source. Out: a name or role per ``source_system``; a source that is in neither is not there.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated

import yaml
from pydantic import StringConstraints, TypeAdapter, ValidationError

from features.errors import ConfigError
from features.settings import Home
from features.sources.brought import brought

FILE = "stewards.yaml"
_Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
_STEWARDS: TypeAdapter[dict[str, str] | None] = TypeAdapter(dict[_Words, _Words] | None)


def stewards_of(home: Home) -> dict[str, str]:
    """Who keeps each source, by ``source_system``.

    Raises:
        ConfigError: ``stewards.yaml`` is no list of ``source_system: who``.
    """
    # The home's own file first: what it gets wrong is told at once.
    own = _own(home)
    return _brought() | own


@cache
def _brought() -> dict[str, str]:
    return {each.mapping.source_system: each.mapping.steward for each in brought() if each.mapping.steward}


def _own(home: Home) -> dict[str, str]:
    path = home.root / FILE
    if not path.is_file():
        return {}
    try:
        return _STEWARDS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8"))) or {}
    except yaml.YAMLError as cause:
        raise _refusal(type(cause).__name__) from None
    except UnicodeDecodeError:
        raise _refusal("a file that is not UTF-8") from None
    except ValidationError as cause:
        raise _refusal(cause.errors()[0]["msg"]) from None


def _refusal(found: str) -> ConfigError:
    return ConfigError(
        f"{FILE} in the home cannot be used",
        expected="one line `source_system: who keeps it` per source",
        found=found,
        todo=f"correct {FILE}",
    )
