"""From rows to what is constant within an episode: its therapy, site, patient's age band and so on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from outcomes.facts import Column, Text, read_facts, read_schema
from outcomes.records.columns.coded import Coded, join_coded, sort_rows
from outcomes.records.columns.mapping import map_category, map_flags, map_therapy, read_category
from outcomes.records.columns.numbers import parse_numbers
from outcomes.records.columns.part import Part
from outcomes.records.episodes.times import Links, map_days, map_measured
from outcomes.records.problems import Problems

_NOT_ATTRIBUTES = frozenset({"episode_id", "patient_id", "excluded"})
_SESSION_COUNTS = frozenset({"n_sessions", "sessions_to_date"})


@dataclass(frozen=True)
class Attribute:
    """A column of the episodes as found in rows of all files."""

    column: Column
    header: str
    #: One entry per row that has a value: its number in the ledger, its episode.
    records: np.ndarray = field(repr=False)
    episode: np.ndarray = field(repr=False)
    #: Position in ``values``.
    codes: np.ndarray = field(repr=False)
    #: Distinct values, sorted.
    values: np.ndarray = field(repr=False)

    def keep(self, rows: np.ndarray) -> "Attribute":
        """Return the entries that ``rows`` marks, or those at these places in their order."""
        kept = {name: getattr(self, name)[rows] for name in ("records", "episode", "codes")}
        return replace(self, **kept)


def collect_attributes(
    parts: Sequence[Part], links: Links, run_day: int
) -> tuple[dict[str, Attribute], list[np.ndarray]]:
    """Return the attributes that any file maps, and per part the rows whose therapy is blank."""
    schema = read_schema()["episodes"]
    found: dict[str, Attribute] = {}
    blanks = [np.zeros(part.n_rows, dtype=bool) for part in parts]
    for name, column in schema.items():
        if name in _NOT_ATTRIBUTES:
            continue
        pieces = []
        for number, part in enumerate(parts):
            if name in part.spec.columns and part.spec.rows in ("episode", "assessment"):
                typed, blank = _map_attribute(part, column, run_day)
                blanks[number] |= blank
                pieces.append((part, links.rows[number], typed))
        if pieces:
            found[name] = _join_pieces(column, pieces)
    return found, blanks


def _map_attribute(part: Part, column: Column, run_day: int) -> tuple[Coded, np.ndarray]:
    header = part.spec.columns[column.name]
    nowhere = np.zeros(part.n_rows, dtype=bool)
    if column.name == "therapy":
        return map_therapy(part, header)
    if column.type == "date":
        return map_days(part, header, run_day, whole=True), nowhere
    if column.type == "flag":
        return map_flags(part, column.name, header), nowhere
    if column.type in ("number", "integer"):
        return _map_number(part, column, header), nowhere
    named = map_category(part, column.name, header, column)
    if column.name == "therapist" and part.spec.within:
        named = join_coded([read_category(part, "site"), named])
    return named, nowhere


def _map_number(part: Part, column: Column, header: str) -> Coded:
    counts = column.name in _SESSION_COUNTS
    if column.name in part.spec.top_code:
        highest = part.spec.top_code[column.name]
        coded = part.columns[header]
        values, _ = parse_numbers(coded.values, np.ones(len(coded.values), dtype=bool), part.spec.decimal)
        part.columns[header] = Coded(coded.codes, np.where(values > highest, f"{highest:g}", coded.values))
    rule = "SESSIONS_RANGE" if counts else f"{column.name.split('_')[0].upper()}_RANGE"
    case = "VALUE_RANGE.whole" if column.type == "integer" else "VALUE_RANGE.from_to"
    return map_measured(part, header, column, rule, case, whole=counts and not part.is_wide)


def _join_pieces(column: Column, pieces: list[tuple[Part, np.ndarray, Coded]]) -> Attribute:
    values = np.unique(np.concatenate([typed.values[typed.mark_used()] for _, _, typed in pieces]))
    records, episodes, codes = [], [], []
    for part, episode, typed in pieces:
        position = np.append(np.searchsorted(values, typed.values), -1).astype(np.int32)
        position[np.append(~typed.mark_used(), True)] = -1
        code = position[typed.codes]
        rows = np.flatnonzero((code >= 0) & (episode >= 0))
        records.append((part.place.start + rows).astype(np.int32))
        episodes.append(episode[rows])
        codes.append(code[rows])
    header = pieces[0][0].spec.columns[column.name]
    return Attribute(
        column, header, np.concatenate(records), np.concatenate(episodes), np.concatenate(codes), values
    )


def settle_constants(
    attributes: Mapping[str, Attribute], parts: Sequence[Part], n_episodes: int, problems: Problems
) -> None:
    """Refuse all records of an episode in which something changes that cannot; ask where that is most."""
    for name, attribute in attributes.items():
        if name != "therapy" and not _may_change(name, parts):
            attribute = attribute.keep(~problems.is_refused(attribute.records))
            _refuse_changes(attribute, _find_changes(attribute, n_episodes), n_episodes, problems)


def _may_change(name: str, parts: Sequence[Part]) -> bool:
    facts = read_facts("checks")["by_visit"]
    confirmed = any(f"{name}_changes" in part.spec.confirmed for part in parts)
    return confirmed or name in (*facts["changing"], *facts["growing"])


def _find_changes(attribute: Attribute, n_episodes: int) -> np.ndarray:
    """Return which entries differ from the first of their episode."""
    return attribute.codes != take_first(attribute, n_episodes)[attribute.episode]


def _refuse_changes(attribute: Attribute, differs: np.ndarray, n_episodes: int, problems: Problems) -> None:
    if not differs.any() or problems.asks_whose:
        return
    name, facts = attribute.column.name, read_facts("checks")["shared"]
    changing = np.zeros(n_episodes, dtype=bool)
    changing[attribute.episode[differs]] = True
    concerned = attribute.records[changing[attribute.episode]]
    n_changing = int(changing.sum())
    n_several = int((np.bincount(attribute.episode, minlength=n_episodes) > 1).sum())
    if n_changing >= facts["fewest_different"] and n_changing > facts["share"] * n_several:
        counts = {"n": n_changing, "n_all": n_several, "name": attribute.column.label or name}
        answers = {
            f'confirmed = ["{name}_changes"]': Text.of("findings.KEY_ATTRIBUTE_CONFLICT.changes"),
            f"# no {name}": Text.of("findings.KEY_ATTRIBUTE_CONFLICT.leave_out"),
        }
        problems.ask("KEY_ATTRIBUTE_CONFLICT.asked", answers, concerned, column=attribute.header, **counts)
        return
    problems.refuse("KEY_ATTRIBUTE_CONFLICT", concerned, column=attribute.header, contradict=True)


def settle_changing(
    attributes: Mapping[str, Attribute],
    parts: Sequence[Part],
    moment: np.ndarray,
    n_episodes: int,
    problems: Problems,
) -> dict[str, Attribute]:
    """Put what may change from visit to visit in the order of time, so that its value at time zero is first.

    What only grows has its largest value first. Ages that fall, or rise by more than the time between two
    records, are refused. ``moment`` orders the rows of an episode, one entry per record of the ledger.
    """
    settled = dict(attributes)
    growing = read_facts("checks")["by_visit"]["growing"]
    for name, attribute in attributes.items():
        attribute = attribute.keep(~problems.is_refused(attribute.records))
        changes = name != "therapy" and _may_change(name, parts)
        if not changes or not _find_changes(attribute, n_episodes).any():
            continue
        when = -attribute.codes if name in growing else moment[attribute.records]
        attribute = attribute.keep(np.argsort(when, kind="stable"))
        if name == "age_years":
            wrong = _find_impossible_ages(attribute, moment, n_episodes)
            _refuse_changes(attribute, wrong, n_episodes, problems)
            attribute = attribute.keep(~problems.is_refused(attribute.records))
        settled[name] = attribute
        changing = attribute.records[_find_changes(attribute, n_episodes)]
        label, header = attribute.column.label or name.replace("_", " "), attribute.header
        problems.note("ATTRIBUTE_BY_VISIT", changing, column=header, name=label, grows=name in growing)
    return settled


def _find_impossible_ages(attribute: Attribute, moment: np.ndarray, n_episodes: int) -> np.ndarray:
    """Return which ages are lower than at time zero, or have risen by over a year more than time did."""
    first = np.full(n_episodes, -1, dtype=np.int64)
    first[attribute.episode[::-1]] = np.arange(len(attribute.codes))[::-1]
    start = first[attribute.episode]
    age, when = attribute.values.astype(float)[attribute.codes], moment[attribute.records]
    rise, years = age - age[start], (when - when[start]) / read_facts("checks")["by_visit"]["days_a_year"]
    return (rise < 0) | (rise > years + 1)


def take_first(attribute: Attribute, n_episodes: int) -> np.ndarray:
    """Return each episode's first code, -1 for none: in the order of files, or of time once it is settled."""
    first = np.full(n_episodes, -1, dtype=np.int32)
    first[attribute.episode[::-1]] = attribute.codes[::-1]
    return first


def refuse_blank_therapies(
    parts: Sequence[Part], links: Links, therapy: Attribute, blanks: Sequence[np.ndarray], problems: Problems
) -> None:
    """Refuse rows without a therapy unless another row of their episode names it."""
    named = np.zeros(len(links.episodes) + 1, dtype=bool)
    named[therapy.episode] = True
    named[-1] = False
    for part, episode, blank in zip(parts, links.rows, blanks, strict=True):
        if blank.any():
            records = part.records(blank & ~named[episode] & part.accepted())
            problems.refuse("THERAPY_MISSING", records, column=part.spec.columns["therapy"])


def settle_therapy(
    therapy: Attribute, moment: np.ndarray, placed: np.ndarray, problems: Problems, n_episodes: int
) -> tuple[Attribute, pd.DataFrame]:
    """Return the rows of each episode's first therapy in time, and later other ones as events.

    Per record of the ledger, ``moment`` orders the rows of an episode, and ``placed`` says whether it is a
    day after time zero. Events have one row per switch with a known day: ``episode, day, event``.
    """
    moment, placed = moment[therapy.records], placed[therapy.records]
    order = sort_rows(therapy.episode, moment)
    first = np.full(n_episodes, -1, dtype=np.int32)
    first[therapy.episode[order][::-1]] = therapy.codes[order][::-1]
    other = therapy.codes != first[therapy.episode]
    problems.note("THERAPY_SWITCH", therapy.records[other], column=therapy.header)
    switches = pd.DataFrame(
        {"episode": therapy.episode[other], "day": moment[other], "event": "therapy_switch"}
    )
    switches = switches[placed[other]].sort_values(["episode", "day"], kind="stable")
    return therapy.keep(~other), switches.drop_duplicates("episode")
