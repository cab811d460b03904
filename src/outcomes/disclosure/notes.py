"""The sentences of a release: its own notes, and those of its result whose counts may be said."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from outcomes.disclosure.decisions import Decisions, Fate, Reason
from outcomes.disclosure.released import join_support
from outcomes.disclosure.rules import Rules
from outcomes.facts import Count, Listing, Name, Text, list_parts, read_facts
from outcomes.result import Origin, Result, Said, Support, build_result

#: Statistic of the rows by which the counts of sentences are judged.
SAID = "n_said"
#: Fates of a count whose sentence is said.
_SAYING = (Fate.SHOWN, Fate.HELD)
_DIGIT = re.compile(r"\d")


def add_counts(result: Result) -> Result:
    """Return a result with one more row for each set of patients that its sentences count.

    A count is judged as the rows are, with those whom it leaves out: both must be enough. A sentence that
    counts without saying whom gets no row, so that it never leaves.
    """
    found = {
        codes.tobytes(): codes
        for part in list_parts((result.method, result.warnings, result.estimand))
        if isinstance(part, Count) and part.patients is not None
        for codes in [np.unique(part.patients).astype("int64")]
    }
    if not found:
        return result
    everybody = join_support([*result.support, *({"all": codes} for codes in found.values())])
    rows = [
        {"statistic": SAID, "term": str(number), "estimate": len(codes), "n": len(codes), "unit": "patients"}
        for number, codes in enumerate(found.values())
    ]
    support = [
        {"all": codes, **({"rest": rest} if (rest := np.setdiff1d(everybody, codes)).size else {})}
        for codes in found.values()
    ]
    counted = build_result(result.name, rows, method="", support=support)
    table = pd.concat([result.table, counted.table], ignore_index=True)
    return replace(result, table=table, support=(*result.support, *counted.support))


def hush_counts(table: pd.DataFrame, decisions: Decisions) -> None:
    """Leave out counts of sentences that may not be shown, without a trace."""
    for place, statistic in enumerate(table["statistic"]):
        if statistic == SAID and decisions.fates[place] not in _SAYING:
            decisions.settle(place, Fate.LEFT_OUT, (decisions.reasons[place] or (Reason.FEW,))[-1])


class Sentences:
    """Which sentences of a result may be said to stakeholders, and with which numbers."""

    def __init__(
        self, rules: Rules, table: pd.DataFrame | None = None, support: Sequence[Support] = ()
    ) -> None:
        """Take the counts that may be said from the rows that are shown; none without a table."""
        self._kept_back = frozenset(rules.kept_back)
        rows = () if table is None else table.itertuples(index=False)
        self._told = {
            sets["all"].tobytes(): str(row.display)
            for row, sets in zip(rows, support, strict=True)
            if row.statistic == SAID
        }

    def choose(self, said: Said) -> Said:
        """Return what may be said of a sentence, or of several in a row; empty for nothing."""
        if isinstance(said, tuple):
            return tuple(kept for one in said if (kept := self.choose(one)))
        return self._write_counts(said) if self._may_say(said) else ""

    def choose_all(self, texts: Iterable[Said]) -> tuple[Said, ...]:
        """Return those of several texts that may be said."""
        return tuple(kept for text in texts if (kept := self.choose(text)))

    def _may_say(self, said: Text | str) -> bool:
        """Return whether a sentence may leave: its counts are shown, and it tells of no group of none."""
        if isinstance(said, str):  # nobody can judge a number that somebody typed
            return not _DIGIT.search(said)
        parts = list(list_parts(said))
        if any(isinstance(part, Text) and part.key in self._kept_back for part in parts):
            return False
        return all(self._find(part) is not None for part in parts if isinstance(part, Count))

    def _find(self, count: Count) -> str | None:
        """Return a count as its row shows it; None where that is not shown."""
        if count.patients is None:
            return None
        return self._told.get(np.unique(count.patients).astype("int64").tobytes())

    def _write_counts(self, value: Any) -> Any:
        """Return a value with the numbers that are shown in place of the true ones."""
        match value:
            case Count():
                return self._find(value)
            case Text(key=key, values=values):
                return Text(key, {name: self._write_counts(held) for name, held in values.items()})
            case Listing(entries=entries, by=by):
                return Listing(tuple(map(self._write_counts, entries)), by)
            case tuple():
                return tuple(map(self._write_counts, value))
        return value


def allow_origin(origin: Origin, rules: Rules) -> Origin:
    """Return what stakeholders may know of an origin.

    Its sentences never count; a caveat in the source's own words was published by whoever wrote it, and
    leaves as it stands.
    """
    allowed, said = origin.allow(), Sentences(rules)
    caveats, detail = allowed.caveats, allowed.detail
    return replace(
        allowed,
        caveats=caveats and tuple(one for one in caveats if isinstance(one, str) or said.choose(one)),
        rules=allowed.rules and {name: said.choose(text) for name, text in allowed.rules.items()},
        detail=detail and replace(detail, said=said.choose_all(detail.said)),
        foreign=allowed.foreign and {id: said.choose(text) for id, text in allowed.foreign.items()},
        steps=allowed.steps and {term: said.choose(text) for term, text in allowed.steps.items()},
    )


def write_held_notes(rows: Sequence[Mapping[str, Any]], withholds: bool, rules: Rules) -> Iterator[Text]:
    """Yield the notes about numbers that the ledger of releases held back: since when, and why.

    `rows` are as released; `withholds` says whether some had no earlier value to show.
    """
    days = sorted({str(row["as_of"]) for row in rows if isinstance(row.get("as_of"), str)})
    if days:
        mark = Text.of("release.as_of_mark")
        yield Text.of("release.held.note", mark=mark, k=rules.k, days=Listing(tuple(days), "comma"))
    if withholds:
        yield Text.of("release.held.withheld", mark=Text.of("release.withheld"), k=rules.k)


def _name_profile(rules: Rules) -> tuple[Text, ...]:
    """Name the profile, its source, and k where the report has another than the profile."""
    own = read_facts("disclosure")["profiles"][rules.profile]
    name = Name("profiles", rules.profile, own["label"])
    said = Text.of("release.profile", profile=name, source=own["source"], k=rules.k)
    if rules.k == own["k"]:
        return (said,)
    if rules.k > own["k"]:
        return said, Text.of("release.k_higher", k=rules.k, usual=own["k"])
    alone = Text.of("release.profile_alone", profile=name, k=rules.k)  # what the source asks for is not kept
    return alone, Text.of("release.k_lower", k=rules.k, usual=own["k"])


def write_notes(said: Sequence[str], bands: bool, rules: Rules, comparable: bool | None) -> tuple[Said, ...]:
    """Return the notes of a stakeholder's release: precision, what was withheld and why.

    `said` holds the fates of all rows, and the reasons of those that were left out; `comparable` whether
    therapies were found to be so, None where this was not checked.
    """
    happened, k = set(said), rules.k
    notes: list[Said] = [Text.of("release.rounded", multiple=rules.cells["count_multiple"])]
    notes.append(_name_profile(rules))
    if bands:
        notes.append(Text.of("release.bands_note"))
    if happened & {"withheld", "few"}:
        notes.append(Text.of("release.withheld_note", mark=Text.of("release.withheld"), k=k))
    if "spread" in happened:
        notes.append(Text.of("release.spread_note"))
    if "dropped" in happened:
        notes.append(Text.of("release.dropped_note", k=k))
    if "sites" in happened:
        league = rules.league
        n, largest = max(league["n_at_least"], k), f"{100 * league['largest_share']:g}"
        notes.append(Text.of("release.league_note", sites=league["sites_at_least"], n=n, largest=largest))
    if "not_comparable" in happened:
        notes.append(Text(f"release.not_compared{'' if comparable is False else '_here'}"))
    return tuple(notes)
