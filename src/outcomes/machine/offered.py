"""Names that a package offers and loads when they are first used; its folder is the registry."""

import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib import import_module
from typing import Any

_ALL = r"^__all__ = (\[.*?\])$"


@cache
def list_offered(package: str) -> Mapping[str, str]:
    """Return the names that modules of a package give in ``__all__``, each with its module; import none."""
    import re  # with these three, importing the package would take twice as long
    from ast import literal_eval
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec(package)
    offered: dict[str, str] = {}
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob("[!_]*.py")):
            if found := re.search(_ALL, path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
                offered |= dict.fromkeys(literal_eval(found[1]), f"{package}.{path.stem}")
    return offered


def offer_lazily(
    package: str, named: Mapping[str, Iterable[str]], folders: Iterable[str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package that loads its names when first used.

    `named` gives the names of modules that offer only these; of the packages in `folders` every module offers
    what its ``__all__`` says. ``__all__`` holds both, and the version.
    """
    folders = tuple(folders)

    @cache
    def list_places() -> Mapping[str, str]:
        places = {name: module for module, names in named.items() for name in names}
        for folder in folders:
            places |= list_offered(folder)
        return places

    def list_names() -> list[str]:
        own = ["__version__"] if hasattr(sys.modules[package], "__version__") else []
        return [*own, *sorted(list_places())]

    def load(name: str) -> Any:
        if name == "__all__":
            return list_names()
        if name.startswith("__") or name not in list_places():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(list_places()[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, list_names
