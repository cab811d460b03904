"""Whether one number stands for one person: asked of codes of several sites or people, and lost zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outcomes.facts import Text, read_facts, read_schema
from outcomes.records.columns.coded import Coded, match_texts, number_texts
from outcomes.records.columns.mapping import read_category
from outcomes.records.columns.numbers import find_missing, parse_numbers
from outcomes.records.columns.part import Part, list_missing_codes
from outcomes.records.problems import Answers, Problems, Values

_CONFIRMED = "shared_ids"
#: What to write where numbers restart in each file.
RESTART: Answers = {
    'within = "site" and [file.constants] site = "<name>"': Text.of("findings.KEY_SHARED_BY_SITES.restart")
}


@dataclass(frozen=True)
class _Rows:
    """Rows of the files that describe episodes: their place in the ledger, code of a person, and site."""

    record: np.ndarray
    code: np.ndarray
    site: np.ndarray
    differs: np.ndarray
    compared: np.ndarray


@dataclass(frozen=True)
class Sharing:
    """What the files tell of the people behind each code."""

    #: Whether nothing tells if a code is one person: neither sex nor age is known, nor a site.
    untold: bool
    #: Codes that may stand for two people: of another sex or age, or, where they are few, of another region.
    doubtful: np.ndarray


def ask_about_sharing(
    parts: Sequence[Part], rows: Sequence[np.ndarray], n: int, problems: Problems
) -> Sharing:
    """Ask where most codes occur at several sites, or stand for people who differ."""
    chosen = [i for i, part in enumerate(parts) if _describes_people(part)]
    parts, rows = [parts[i] for i in chosen], [rows[i] for i in chosen]
    differs, compared = _find_contradictions(parts, rows, n)
    if parts and not any(part.spec.within for part in parts):
        gathered = _gather(parts, rows, differs, compared)
        _judge("patient", parts, gathered, n, problems)
        _ask_about_therapists(parts, problems)
        untold = not compared.any() and bool((gathered.site < 0).all())
    else:
        untold = False
    if any(_CONFIRMED in part.spec.confirmed for part in parts):
        return Sharing(untold, np.zeros(n, dtype=bool))
    return Sharing(untold, differs | _find_other_regions(parts, rows, n))


def _find_other_regions(parts: Sequence[Part], rows: Sequence[np.ndarray], n: int) -> np.ndarray:
    """Return codes with rows of several regions; none where these are so many that it is the clinic's way."""
    seen = np.full(n, -1, dtype=np.int64)
    several = np.zeros(n, dtype=bool)
    allowed = read_schema()["episodes"]["region"].allowed
    for part, code in zip(parts, rows, strict=True):
        if part.spec.rows == "episode" and "region" in part.spec.columns:
            coded = read_category(part, "region")
            places = np.array(
                [allowed.index(value) if value in allowed else -1 for value in coded.values] + [-1]
            )
            region = places[coded.codes]
            here = np.flatnonzero((region >= 0) & (code >= 0))
            first = here[seen[code[here]] < 0]
            seen[code[first][::-1]] = region[first][::-1]
            several[code[here][region[here] != seen[code[here]]]] = True
    facts = read_facts("checks")["twice"]
    many = several.sum() >= facts["fewest"] and several.sum() > facts["share"] * n
    return np.zeros(n, dtype=bool) if many else several


def _describes_people(part: Part) -> bool:
    return part.spec.rows in ("episode", "assessment") and part.spec.patient == "by id"


def _gather(
    parts: Sequence[Part], rows: Sequence[np.ndarray], differs: np.ndarray, compared: np.ndarray
) -> _Rows:
    with_site = [i for i, part in enumerate(parts) if "site" in part.spec.columns]
    sites = number_texts([read_category(parts[i], "site") for i in with_site])[1]
    site = [np.full(part.n_rows, -1, dtype=np.int32) for part in parts]
    for i, numbers in zip(with_site, sites, strict=True):
        site[i] = numbers
    record = [part.place.start + np.arange(part.n_rows) for part in parts]
    return _Rows(np.concatenate(record), np.concatenate(rows), np.concatenate(site), differs, compared)


def _find_contradictions(
    parts: Sequence[Part], rows: Sequence[np.ndarray], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return which codes stand for people of another sex or age, and which could be compared."""
    sexes, seen = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    low, high = np.full(n, np.inf), np.full(n, -np.inf)
    allowed = read_schema()["episodes"]["sex"].allowed
    for part, code in zip(parts, rows, strict=True):
        told = np.zeros(part.n_rows, dtype=bool)
        if "sex" in part.spec.columns:
            coded = read_category(part, "sex")
            bits = np.array([1 << allowed.index(value) if value in allowed else 0 for value in coded.values])
            sex = np.append(bits, 0).astype(np.int64)[coded.codes]
            told |= (sex > 0) & (code >= 0)
            np.bitwise_or.at(sexes, code[told], sex[told])
        if "age_years" in part.spec.columns:
            coded = part.columns[part.spec.columns["age_years"]]
            absent = find_missing(coded.values, list_missing_codes(part, "age_years"))
            values, _ = parse_numbers(coded.values, ~absent, part.spec.decimal)
            age = np.append(values, np.nan)[coded.codes]
            known = ~np.isnan(age) & (code >= 0)
            np.minimum.at(low, code[known], age[known])
            np.maximum.at(high, code[known], age[known])
            told |= known
        seen += np.bincount(code[told], minlength=n)
    both = (1 << allowed.index("female")) | (1 << allowed.index("male"))
    differs = ((sexes & both) == both) | (high - low > read_facts("checks")["shared"]["years"])
    return differs, seen > 1


def _judge(kind: str, parts: Sequence[Part], rows: _Rows, n: int, problems: Problems) -> None:
    facts = read_facts("checks")["shared"]
    placed = (rows.code >= 0) & (rows.site >= 0)
    pairs = np.unique(rows.code[placed].astype(np.int64) << 20 | rows.site[placed])
    n_sites = np.bincount(pairs >> 20, minlength=n)
    shared = n_sites > 1
    n_shared, n_placed = int(shared.sum()), int((n_sites > 0).sum())
    common = n_shared >= facts["fewest"] and n_shared > facts["share"] * n_placed
    if common or _contradict(shared, rows, facts) or _fills_a_site(pairs, shared, rows.compared, facts):
        case, n_odd = f"{kind}s_at_sites", int((shared & rows.differs).sum())
        counts = {"n": n_shared, "n_all": n_placed, "n_odd": n_odd}
        restart: Answers = {'within = "site"': Text.of("findings.KEY_SHARED_BY_SITES.restart_at_site")}
        concerned = shared
    elif _contradict(np.ones(n, dtype=bool), rows, facts):
        case, counts = f"{kind}s_differ", {"n": int(rows.differs.sum()), "n_all": int(rows.compared.sum())}
        restart, concerned = RESTART, rows.differs
    else:
        return
    records = rows.record[np.append(concerned, False)[rows.code]]
    ask_or_take(parts, case, counts, restart, records, problems)


def _contradict(of: np.ndarray, rows: _Rows, facts: dict[str, float]) -> bool:
    odd, base = int((of & rows.differs).sum()), int((of & rows.compared).sum())
    return odd >= facts["fewest_different"] and odd > facts["different"] * base


def _fills_a_site(
    pairs: np.ndarray, shared: np.ndarray, compared: np.ndarray, facts: dict[str, float]
) -> bool:
    """Return whether one site has hardly a code of its own, and nothing else tells the people apart."""
    if (shared & compared).any() or not len(pairs):
        return False
    site = pairs & ((1 << 20) - 1)
    all_, common = np.bincount(site), np.bincount(site, shared[pairs >> 20])
    return bool(((all_ >= facts["fewest_at_site"]) & (common > facts["share"] * all_)).any())


def ask_or_take(
    parts: Sequence[Part],
    case: str,
    counts: Values,
    restart: Answers,
    records: np.ndarray,
    problems: Problems,
) -> None:
    """Ask whether shared codes are the same people, unless the source has said so."""
    rule = f"KEY_SHARED_BY_SITES.{case}"
    records = problems.keep_first_file(records)
    first = problems.find_place(int(records.min()))
    part = next(part for part in parts if part.place is first)
    column = part.find_id_header()
    if any(_CONFIRMED in part.spec.confirmed for part in parts):
        problems.note(rule, records, "answered", column=column, **counts)
        return
    same = Text.of("findings.KEY_SHARED_BY_SITES.same_people")
    answers = {**restart, f'confirmed = ["{_CONFIRMED}"]': same}
    problems.ask(rule, answers, records, column=column, **counts)


def _ask_about_therapists(parts: Sequence[Part], problems: Problems) -> None:
    parts = [part for part in parts if {"site", "therapist"} <= set(part.spec.columns)]
    if not parts:
        return
    names, rows = number_texts([read_category(part, "therapist") for part in parts])
    if len(names) > read_facts("checks")["shared"]["most_therapists"]:
        return
    nowhere = np.zeros(len(names), dtype=bool)
    _judge("therapist", parts, _gather(parts, rows, nowhere, ~nowhere), len(names), problems)


def ask_about_zeros(parts: Sequence[Part], ids: Sequence[Coded | None], problems: Problems) -> None:
    """Ask where ids of one file are those of another but for leading zeros; name them where they are few."""
    texts = [set() if coded is None else set(coded.values[coded.mark_used()]) for coded in ids]
    padded = [{text for text in own if len(text) > 1 and text[0] == "0" and text.isdigit()} for own in texts]
    if not any(padded):
        return
    for i, (part, own) in enumerate(zip(parts, texts, strict=True)):
        longer = {text.lstrip("0") or "0" for j, other in enumerate(padded) if j != i for text in other - own}
        lost = longer & own
        if not lost or (padded[i] and not lost - {text.lstrip("0") for text in padded[i]}):
            continue
        coded = ids[i]
        assert coded is not None
        rows = coded.rows(np.array([text in lost for text in coded.values], dtype=bool))
        n_plain = int(match_texts(coded.values, r"^[1-9]\d*$").sum())
        facts, header = read_facts("checks")["zeros"], part.find_id_header()
        records, counts = part.records(rows), Values(n=len(lost), n_all=n_plain)
        if any("leading_zeros" in other.spec.confirmed for other in parts):
            problems.note("KEY_LEADING_ZEROS.told", records, "answered", column=header, **counts)
        elif len(lost) >= facts["fewest"] and len(lost) > facts["share"] * n_plain:
            answers = {
                'key_normalise = ["leading_zeros"]': Text.of("findings.KEY_LEADING_ZEROS.dropped"),
                'confirmed = ["leading_zeros"]': Text.of("findings.KEY_LEADING_ZEROS.other_people"),
            }
            problems.ask("KEY_LEADING_ZEROS.asked", answers, records, column=header, **counts)
        else:
            problems.note("KEY_LEADING_ZEROS.kept_apart", records, column=header, **counts)
