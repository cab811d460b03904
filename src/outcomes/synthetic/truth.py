"""The truth behind the made-up clinic: what each therapy would have done for everybody.

Sessions have no part in it: more of them change no score. They are drawn after the scores, in part by them,
so that those who do badly have more.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, product

import numpy as np
import pandas as pd

from outcomes.errors import FactsError
from outcomes.facts import read_facts
from outcomes.synthetic.course import Course, draw_course, follow_scores
from outcomes.synthetic.events import DAYS_PER_YEAR, ENDINGS, draw_frailty
from outcomes.synthetic.people import draw_people, name_categories


def true_effects(
    n: int = 1_000_000, *, seed: int = 20261123, instrument: str = "odi", chunk: int = 50_000
) -> pd.DataFrame:
    """Return the true mean differences between therapies among those in whom the instrument is taken.

    For each of ``n`` made-up patients the scores under both therapies are drawn from the same noise and
    written down as they would have been (items rounded and clipped); the truth is the mean difference. What
    lasts is the difference of two time points' rows: of ``month_12`` and ``month_3``, say.

    Parameters
    ----------
    n : int
        Made-up patients.
    seed : int
        Its chunks draw from the streams of ``seed``, ``seed + 1``, ...
    instrument : str
        One of the measured scores: ``odi``, ``nprs``, ``mmst_cm`` or ``sorensen_s``.
    chunk : int
        Patients drawn at once.

    Returns
    -------
    pandas.DataFrame
        One row per time point, pair of therapies and subgroup: ``timepoint, group, versus, subgroup``
        (``all``, ``acute``, ``subacute`` or ``chronic``: effects differ by the duration of the complaint and
        by nothing else), ``difference`` (group - versus, in the instrument's unit), ``std_error`` (its Monte
        Carlo error) and ``n`` (patients with both scores).

    Raises
    ------
    FactsError
        When the instrument has no truth of its own.

    Examples
    --------
    >>> effects = true_effects(2_000, seed=1)
    >>> list(effects.columns)
    ['timepoint', 'group', 'versus', 'subgroup', 'difference', 'std_error', 'n']
    """
    therapies = read_facts("made_up_clinic")["therapies"]
    pairs = list(combinations(range(len(therapies)), 2))

    def compare(potential: np.ndarray) -> np.ndarray:
        return np.stack([potential[group, :, 1:] - potential[versus, :, 1:] for group, versus in pairs])

    effects = _average(compare, n, seed, instrument, chunk)
    names = pd.DataFrame([(therapies[group], therapies[versus]) for group, versus in pairs])
    effects.insert(1, "group", names[0].loc[effects["row"]].to_numpy())
    effects.insert(2, "versus", names[1].loc[effects.pop("row")].to_numpy())
    return effects.rename(columns={"mean": "difference"})


def true_courses(
    n: int = 1_000_000, *, seed: int = 20261123, instrument: str = "odi", chunk: int = 50_000
) -> pd.DataFrame:
    """Return the true mean scores at the start and later under each therapy for all, without drop-out.

    Parameters
    ----------
    n, seed, instrument, chunk
        As in `true_effects`.

    Returns
    -------
    pandas.DataFrame
        One row per time point (``baseline`` is the start), therapy and subgroup: ``timepoint, therapy,
        subgroup, mean, std_error, n``, as in `true_effects`.

    Raises
    ------
    FactsError
        When the instrument has no truth of its own.

    Examples
    --------
    >>> courses = true_courses(2_000, seed=1).query("subgroup == 'all'")
    >>> courses.groupby("timepoint", sort=False)["therapy"].count().to_dict()
    {'baseline': 4, 'week_6': 4, 'month_3': 4, 'month_6': 4, 'month_12': 4}
    """
    courses = _average(lambda potential: potential, n, seed, instrument, chunk)
    therapies = np.array(read_facts("made_up_clinic")["therapies"])
    courses.insert(1, "therapy", therapies[courses.pop("row")])
    return courses


def _average(
    measure: Callable[[np.ndarray], np.ndarray], n: int, seed: int, instrument: str, chunk: int
) -> pd.DataFrame:
    """Return means of what is made of potential scores, therapies x patients x visits from the start on."""
    facts = read_facts("made_up_clinic")
    if instrument not in facts["scores"]:
        raise FactsError(
            f"The made-up clinic knows the truth of {', '.join(facts['scores'])}, not of {instrument!r}."
        )
    sums: dict[str, np.ndarray] = {}
    for number, first in enumerate(range(0, n, chunk)):
        potential, course = _draw_potential(min(chunk, n - first), seed + number, instrument)
        for subgroup, members in _list_subgroups(course):
            values = measure(potential[:, members])
            counted = [
                (~np.isnan(values)).sum(axis=1),
                np.nansum(values, axis=1),
                np.nansum(values**2, axis=1),
            ]
            sums[subgroup] = sums.get(subgroup, 0) + np.stack(counted)
    return _tabulate_means(sums, facts["scores"][instrument].get("timepoints", facts["timepoints"]))


def _tabulate_means(sums: dict[str, np.ndarray], taken: Sequence[str]) -> pd.DataFrame:
    """Return means and their errors from number, sum and sum of squares, each rows x visits, by subgroup."""
    _, n_rows, n_visits = sums["all"].shape
    visits = ["baseline", *read_facts("made_up_clinic")["timepoints"]][-n_visits:]
    table = []
    for visit, row in product(range(n_visits), range(n_rows)):
        for subgroup, summed in sums.items():
            count, total, squares = summed[:, row, visit]
            if visits[visit] in ("baseline", *taken):
                mean = total / count
                error = np.sqrt(max(squares / count - mean**2, 0.0) / count)
                table.append((visits[visit], row, subgroup, mean, error, int(count)))
    return pd.DataFrame(table, columns=["timepoint", "row", "subgroup", "mean", "std_error", "n"])


def _draw_potential(n: int, seed: int, instrument: str) -> tuple[np.ndarray, Course]:
    """Return the scores of patients under each therapy, and their course."""
    course = draw_course(draw_people(n, seed), seed)
    start = course.baseline[instrument][:, None]
    codes = range(len(read_facts("made_up_clinic")["therapies"]))
    potential = [np.hstack([start, follow_scores(course, np.full(n, code), instrument)]) for code in codes]
    # Neither the start nor what follows is averaged where there is no score at the start.
    return np.where(np.isnan(start), np.nan, np.stack(potential)), course


def _list_subgroups(course: Course) -> Iterator[tuple[str, np.ndarray]]:
    column = read_facts("made_up_clinic")["modifier"].split(".")[0]
    yield "all", np.ones(len(course.people), dtype=bool)
    for name in name_categories()[column]:
        yield name, course.people.is_in(column, name)


def true_recurrence(day: int = 365) -> pd.DataFrame:
    """Return how often trouble truly comes back, and what ends an episode, up to a day after the start.

    Hazards are constant from an earliest day on; that of a reconsultation is multiplied by a frailty of the
    patient, over which the numbers are averaged. The first of surgery, injection and a new episode ends what
    is recorded of an episode: they compete with reconsultation and with each other.

    Parameters
    ----------
    day : int
        The last day that counts, after the start.

    Returns
    -------
    pandas.DataFrame
        One row per therapy and event (``reconsultation``, ``new_episode``, ``recurrence``, which is the first
        of these two, ``surgery``, ``injection``): ``therapy, event``, ``per_year`` (mean hazard once it is
        possible), ``cumulative_incidence`` (share whose first such event comes by ``day``, the others
        competing), ``mean_count`` (events a patient by ``day`` had nothing ended the episode: what the sum
        of events over those still at risk estimates) and ``weeks_lost`` (the area under the cumulative
        incidence).

    Examples
    --------
    >>> recurrence = true_recurrence().set_index(["therapy", "event"])
    >>> float(recurrence.loc[("usual_care", "surgery"), "per_year"])
    0.06
    """
    facts = read_facts("made_up_clinic")
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    frailty, weights = draw_frailty(facts["recurrence"]["frailty_sd"], nodes), weights / weights.sum()
    rows = []
    for therapy in facts["therapies"]:
        hazards = _list_hazards(therapy, day, frailty)
        for event in ("reconsultation", "new_episode", "recurrence", "surgery", "injection"):
            own = ("reconsultation", "new_episode") if event == "recurrence" else (event,)
            every = dict.fromkeys((*ENDINGS, *own))
            hazard, total = (np.sum([hazards[name] for name in names], axis=0) for names in (own, every))
            # Probability of the event on a day for those without any event before it.
            free = np.exp(total - total.cumsum(axis=0))
            first = free * hazard * -np.expm1(-total) / np.where(total > 0, total, 1)
            incidence = first.cumsum(axis=0) @ weights
            per_year = sum(facts["recurrence"][name]["per_year"][therapy] for name in own)
            count = hazard.sum(axis=0) @ weights
            rows.append((therapy, event, per_year, incidence[-1], count, incidence[:-1].sum() / 7))
    columns = ["therapy", "event", "per_year", "cumulative_incidence", "mean_count", "weeks_lost"]
    return pd.DataFrame(rows, columns=columns)


def _list_hazards(therapy: str, day: int, frailty: np.ndarray) -> dict[str, np.ndarray]:
    """Return the hazard of each event on each day for patients of each frailty, days x frailties."""
    hazards = {}
    for name in (*ENDINGS, "reconsultation"):
        rule = read_facts("made_up_clinic")["recurrence"][name]
        active = np.arange(day + 1)[:, None] >= rule["earliest_day"]
        own = frailty if name == "reconsultation" else np.ones_like(frailty)
        hazards[name] = active * own * rule["per_year"][therapy] / DAYS_PER_YEAR
    return hazards


def true_harms() -> pd.DataFrame:
    """Return the true rates of adverse events, where they are recorded: one site records none.

    They are averages over patients, whose own rates differ by a frailty; repeated events are clustered by
    patient.

    Returns
    -------
    pandas.DataFrame
        One row per therapy and severity (``any``, ``mild``, ``moderate``, ``severe``): ``therapy, severity,
        per_100_sessions``.

    Examples
    --------
    >>> true_harms().query("severity == 'any'").set_index("therapy")["per_100_sessions"].round(1).to_dict()
    {'strengthening': 2.0, 'manual_therapy': 4.5, 'combined_pt': 3.0, 'usual_care': 1.6}
    """
    rule = read_facts("made_up_clinic")["harms"]
    shares = {"any": 1.0, **rule["severity"]}
    rows = [
        (therapy, severity, 100 * rate * share)
        for therapy, rate in rule["per_session"].items()
        for severity, share in shares.items()
    ]
    return pd.DataFrame(rows, columns=["therapy", "severity", "per_100_sessions"])
