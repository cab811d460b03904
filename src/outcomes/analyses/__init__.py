"""From a cohort to a result, one method a file.

The folder is the registry: each module whose name does not start with ``_`` is one analysis, whose function
is the first name of its ``__all__``. A folder in it, such as ``mmrm``, is a method for any table, below
analyses. The functions can be imported from here; nothing is loaded before it is asked for.

Examples
--------
>>> "change" in list_analyses()
True
>>> read_analysis("change").__name__
'summarise_change'
"""

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from outcomes.errors import AnalysisError
from outcomes.facts.toml import suggest_name
from outcomes.machine.offered import offer_lazily

if TYPE_CHECKING:
    from outcomes.result import Result

_OWN = ("list_analyses", "read_analysis", "run_analysis")
__getattr__, __dir__ = offer_lazily(__name__, {__name__: _OWN}, [__name__])


def list_analyses() -> tuple[str, ...]:
    """Return the names of all analyses, sorted."""
    found = (entry for entry in iter_modules(__path__) if not entry.ispkg)
    return tuple(sorted(entry.name for entry in found if not entry.name.startswith("_")))


def read_analysis(name: str) -> "Callable[..., Result]":
    """Return the function of an analysis; for an unknown name the error suggests the nearest."""
    known = list_analyses()
    if name not in known:
        raise AnalysisError(f"There is no analysis {name!r}; {suggest_name(str(name), known)}")
    module = import_module(f"{__name__}.{name}")
    function: Callable[..., Result] = getattr(module, module.__all__[0])
    return function


def run_analysis(name: str, of: Any, **options: Any) -> "Result":
    """Run an analysis by its name.

    Parameters
    ----------
    name : str
        Such as ``"change"``; see `list_analyses`.
    of : Cohort or Records
        A cohort; for ``data_quality`` the records.
    **options
        Those of the analysis, such as ``by`` and ``conf_level``.

    Returns
    -------
    Result

    Raises
    ------
    AnalysisError
        When there is no such analysis or option; the message lists the options there are.
    """
    from inspect import signature

    from outcomes.analyses._interval import check_level
    from outcomes.cohort import Cohort
    from outcomes.records.tables import Records

    function = read_analysis(name)
    allowed = list(signature(function).parameters)[1:]
    unknown = [option for option in options if option not in allowed]
    if unknown:
        raise AnalysisError(
            f"The analysis {name!r} has no option {unknown[0]!r}; it has: {', '.join(allowed) or 'none'}."
        )
    if "conf_level" in options:
        check_level(options["conf_level"])
    kind = Records if name == "data_quality" else Cohort
    if not isinstance(of, kind):
        raise AnalysisError(f"The analysis {name!r} takes {kind.__name__}, not {type(of).__name__}.")
    return function(of, **options)
