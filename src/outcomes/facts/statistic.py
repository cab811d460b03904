"""`Statistic`: what a number of a result is, and what follows from that for who may see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from outcomes.errors import FactsError
from outcomes.facts.toml import build_strictly, read_facts, suggest_name

#: Kind of a statistic that never leaves the clinic.
INSIDE = "inside"
#: Kinds that are proportions and written as percentages.
_SHARES = frozenset({"share", "curve", "band"})
_FILE = "facts/statistics.toml"
#: What a key that names a choice may say.
_CHOICES = {
    "kind": ("count", *sorted(_SHARES), "score", "effect", "check", "verdict", "signal", "sites", INSIDE),
    "when_few": ("withheld", "bounded", "harm"),
    "compares": ("nothing", "therapies", "covariates"),
    "in_chart": ("nothing", "period", "limit", "whole_limit"),
    "rests_on": ("row", "analysis", "nobody"),
    "adds_over": ("groups", "levels", "flow"),
    "same_for_any": ("outcome", "level"),
}
#: Keys that name another statistic, or none.
_NAMING = ("spread_of", "part_of", "score_is")
_FLAGS = ("sums", "of_covariate", "of_episodes")
#: What holds for a statistic of which nothing leaves the clinic.
_STAYS = {
    **dict.fromkeys(_FLAGS, False),
    **dict.fromkeys(_NAMING, ""),
    **dict.fromkeys(("difference_of", "adds_over", "team_only", "same_for_any"), ()),
    "when_few": "withheld",
    "compares": "nothing",
    "in_chart": "nothing",
    "rests_on": "row",
}


@dataclass(frozen=True)
class Statistic:
    """What a number of a result is; ``statistics.toml`` says what each key means."""

    id: str
    kind: str
    #: Whether it is a mean of patients' values: times their number it is a sum.
    sums: bool
    #: The mean whose spread it is; empty for none.
    spread_of: str
    #: The two whose difference it is, the first at the start; empty for none.
    difference_of: tuple[str, ...]
    of_covariate: bool
    of_episodes: bool
    #: Any of ``groups``, ``levels``, ``flow``.
    adds_over: tuple[str, ...]
    #: The count whose rest must not be few; empty for none.
    part_of: str
    when_few: str
    compares: str
    in_chart: str
    #: Analyses of which no page for stakeholders prints it.
    team_only: tuple[str, ...]
    rests_on: str
    same_for_any: tuple[str, ...]
    #: The statistic that its term ``score`` is another name of; empty for none.
    score_is: str
    importance: float = 1.0
    unprinted_when_empty: bool = False

    @property
    def is_share(self) -> bool:
        """Whether it is a proportion, written as a percentage."""
        return self.kind in _SHARES

    @property
    def is_modelled(self) -> bool:
        """Whether it is a proportion that a model gives: no quotient of two counts."""
        return self.is_share and self.rests_on == "analysis"


def build_statistics(content: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Statistic]:
    """Build the statistics of a file; a key that is missing, unknown or says what it may not is an error."""
    statistics = {}
    for id, block in content.items():
        where = f"{_FILE}, [{id}]"
        stays = block.get("kind") == INSIDE
        if stays and block.keys() - {"kind", "compares"}:
            raise FactsError(
                f'{where}: kind = "{INSIDE}" never leaves the clinic; leave out the other keys but compares.'
            )
        statistic = build_strictly(Statistic, {"id": id, **(_STAYS if stays else {}), **block}, where)
        _check(statistic, content, where)
        statistics[id] = statistic
    return statistics


def _check(statistic: Statistic, known: Mapping[str, Any], where: str) -> None:
    for key in _FLAGS:
        if not isinstance(getattr(statistic, key), bool):
            raise FactsError(f"{where}: {key} is true or false.")
    for key, choices in _CHOICES.items():
        said = getattr(statistic, key)
        for value in said if key in ("adds_over", "same_for_any") else (said,):
            if value not in choices:
                raise FactsError(
                    f"{where}: {key} = {value!r} is no choice; {suggest_name(str(value), choices)}"
                )
    for key in (*_NAMING, "difference_of"):
        named = getattr(statistic, key)
        for name in (named,) if isinstance(named, str) else named:
            if name and name not in known:
                hint = suggest_name(str(name), known)
                raise FactsError(f"{where}: {key} = {name!r} is no statistic; {hint}")
    if len(statistic.difference_of) not in (0, 2):
        raise FactsError(f"{where}: difference_of names two statistics, or none.")
    if not isinstance(statistic.team_only, tuple):
        raise FactsError(f"{where}: team_only is a list of analyses.")


@cache
def read_statistics() -> Mapping[str, Statistic]:
    """Return every statistic that an analysis may give, by id."""
    return build_statistics(read_facts("statistics"))
