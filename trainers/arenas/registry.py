"""Which component kinds there are: the folders beside this file, what is installed, and what was registered.

::

    trainers/arenas/NAME/kind.py                     found by its folder, imported when first asked for
    entry point "mqtt_hub.kinds": NAME = package     of any installed distribution
    register("tests.arenas.tiny_kind")               by a program or a test
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from trainers.arenas.errors import EvaluationError
from trainers.arenas.kind import Kind

__all__ = ["DEFAULT", "kind_of", "kinds", "kinds_of", "register"]

DEFAULT = "page_replacement"  # where a command or a workload does not say
ENTRY_POINTS = "mqtt_hub.kinds"

_HERE = Path(__file__).parent
_loaded: dict[str, Kind] = {}


def register(package: str) -> Kind:
    """Make the kind of an importable package known by its name; returns it.

    Raises `EvaluationError` where the package has no ``kind.KIND`` or another kind has that name.
    """
    try:
        kind: Kind = import_module(f"{package}.kind").KIND
    except (ImportError, AttributeError) as error:
        raise EvaluationError(f"{package} is no component kind: {error}", hint="docs/adding-a-kind.md") from error
    known = _loaded.setdefault(kind.name, kind)
    if known is not kind:
        raise EvaluationError(f"{package}: there is a kind {kind.name} already, {known.package}")
    return known


def kind_of(name: str) -> Kind:
    """Return the kind of that name. Raises `EvaluationError` where there is none."""
    if name not in _loaded and (_HERE / name / "kind.py").is_file() and name.isidentifier():
        register(f"{__package__}.{name}")
    if name not in _loaded:
        known = kinds()
        if name not in known:
            raise EvaluationError(f"there is no component kind {name[:80]!r}", hint=f"known: {', '.join(known)}")
    return _loaded[name]


def kinds() -> dict[str, Kind]:
    """Return every kind by name: the first of the project first, then in the order of the names."""
    for path in _HERE.glob("*/kind.py"):
        register(f"{__package__}.{path.parent.name}")
    for entry in entry_points(group=ENTRY_POINTS):
        register(entry.value)
    return dict(sorted(_loaded.items(), key=lambda item: (item[0] != DEFAULT, item[0])))


def kinds_of(specialization: str) -> tuple[Kind, ...]:
    """Return the kinds that nodes of a specialization search for."""
    return tuple(kind for kind in kinds().values() if specialization in kind.specializations)
