"""`fit`: from a formula and a long table to a fitted model, and what can be asked of it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outcomes.analyses.mmrm.contrasts import (
    tabulate_contrasts,
    tabulate_joint_tests,
    tabulate_means,
    tabulate_slopes,
    tabulate_tests,
)
from outcomes.analyses.mmrm.covariances import choose_covariance
from outcomes.analyses.mmrm.design import Design
from outcomes.analyses.mmrm.fitted import FittedModel, write_summary
from outcomes.analyses.mmrm.layout import Layout, list_columns, parse_formula
from outcomes.analyses.mmrm.likelihood import (
    Stack,
    begin_with_moments,
    invert_positive,
    minimise_deviance,
    stack_patterns,
)
from outcomes.analyses.mmrm.passes import lay_out, open_pass, sum_table
from outcomes.analyses.mmrm.predictions import list_residuals, predict_rows
from outcomes.analyses.mmrm.standard_errors import Choices, add_inference, change_inference, check_choices
from outcomes.machine.threads import in_one_thread


@dataclass(frozen=True, repr=False)
class MmrmFit(FittedModel):
    """A fitted model, and what can be asked of it; made by `fit`."""

    marginal_means = tabulate_means
    contrasts = tabulate_contrasts
    slopes = tabulate_slopes
    f_tests = tabulate_tests
    joint_tests = tabulate_joint_tests
    with_inference = change_inference
    predict = predict_rows
    residuals = list_residuals
    summary = write_summary
    __repr__ = write_summary


#: Share of a column's variance left by earlier columns, below which it repeats them.
_REPEATED = 1e-10
#: Share of the score's variance left by the columns, below which nothing is left to model.
_NOTHING_LEFT = 1e-14


@in_one_thread
def fit(
    formula: str,
    table: Any,
    *,
    subject: str,
    visit: str,
    covariance: str = "us",
    group: str | None = None,
    method: str = "reml",
    df: str | None = None,
    vcov: str | None = None,
    cluster: str | None = None,
    weights: str | None = None,
    weight_kind: str = "precision",
    equally_spaced: bool = False,
    conf_level: float = 0.95,
    memory_limit_gb: float = 4.0,
    patients_per_chunk: int | None = None,
) -> MmrmFit:
    """Fit a mixed model for repeated measures: a linear model with correlated errors between visits.

    Restricted likelihood by Newton's method from sums of products per pattern of visits, as ``docs/mmrm.md``
    tells.

    Parameters
    ----------
    formula : str
        In the grammar of formulaic, such as ``"score ~ therapy*visit + baseline*visit + age"``; categories
        are coded by treatment contrasts.
    table : pandas.DataFrame, str, pathlib.Path or dask.dataframe.DataFrame
        Long: one row per patient and visit, in any order; a path names Parquet. Rows that lack a score or
        anything that the formula names are left out and counted.
    subject, visit : str
        Columns. A visit must be unique within its subject, and is a category whatever it holds (in the
        order of a categorical, else sorted).
    covariance : str
        Between visits: ``us`` (free), ``adh, csh, cs, ad``, or with ``equally_spaced`` also ``ar1, ar1h,
        toep, toeph``.
    group : str, optional
        Column whose levels have a covariance of their own.
    method : str
        ``reml`` or ``ml``.
    df : str, optional
        ``kenward-roger-linear`` (where absent, for REML with the model's covariance), ``kenward-roger``,
        ``satterthwaite`` (where absent, otherwise; with a cluster-robust covariance those of Bell and
        McCaffrey), ``residual``, ``between-within``.
    vcov : str, optional
        Covariance of the coefficients: ``model`` (where absent) or cluster-robust ``CR0``, ``CR2`` (where
        absent, if ``cluster`` is named), ``CR3``.
    cluster : str, optional
        Column of the clusters, such as therapist or site; patients where absent.
    weights : str, optional
        Column of positive weights, one a row; rows without one are left out.
    weight_kind : str
        ``precision``: a row's variance is divided by its weight. ``probability``: weights undo unequal
        chances of being in the table, and demand a cluster-robust covariance.
    equally_spaced : bool
        Declares visits at equal distances in time.
    conf_level : float
        Level of intervals, a proportion.
    memory_limit_gb : float
        For Parquet: memory of the database and of the rows it hands over, in 10^9 bytes.
    patients_per_chunk : int, optional
        For frames: lay out so many patients at a time.

    Returns
    -------
    MmrmFit
        With a ``state``; nothing is raised for what the numbers cannot bear.

    Raises
    ------
    AnalysisError
        When a column or a choice is unknown, choices do not go together, or a patient has a visit twice.
    """
    what = (covariance, group, method, df, vcov, cluster, weights, weight_kind, equally_spaced, conf_level)
    choices, terms = check_choices(*what), parse_formula(formula)
    cluster = None if cluster == subject else cluster
    columns = list_columns(terms, subject, visit, group, cluster, weights)
    source = open_pass(table, columns, subject, memory_limit_gb, patients_per_chunk)
    layout, design, sums = sum_table(source, lay_out(source, terms, subject, visit, group, cluster, weights))
    return fit_sums(source, layout, design, sums, choices)


def fit_sums(source: Any, layout: Layout, design: Design, sums: Any, choices: Choices) -> MmrmFit:
    """Fit a model to pattern sums; see `fit`."""
    groups = sorted({group for group, _ in sums.grams})
    everything = stack_patterns(sums, design, np.arange(len(design.columns)), groups)
    cross = everything.contract(everything.seen[:, :, None] * np.eye(everything.n_visits))
    kept, repeats = find_kept(cross[:-1, :-1])
    dropped = tuple(design.names[place] for place in np.setdiff1d(np.arange(len(design.columns)), kept))
    stack = stack_patterns(sums, design, kept, groups) if dropped else everything
    asked = (layout.terms.formula, choices.covariance, choices.method, choices.df, choices.vcov)
    said = ("ok", _list_reasons(sums, dropped), dropped)
    counts = (sums.n_patients, sums.n_rows, sums.n_dropped, sums.n_empty, sums.n_patients)
    rest: dict[str, Any] = {"layout": layout, "design": design, "sums": sums, "kept": kept}
    rest |= {"repeats": repeats, "stack": stack, "source": source, "weight_kind": choices.weight_kind}
    if layout.group:
        rest["groups"] = tuple(layout.held[layout.group][code] for code in groups)
    held = MmrmFit(*asked, *said, *counts, choices.conf_level, **rest)
    state, reason = _check_numbers(stack, cross, kept)
    if state != "ok":
        return replace(held, state=state, reasons=(*held.reasons, reason))
    return _maximise(held, choices)


def find_kept(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns that repeat no earlier one, and how the others are made of them.

    >>> kept, repeats = find_kept(np.array([[2.0, 4, 0], [4, 8, 0], [0, 0, 1]]))
    >>> kept.tolist(), repeats.round(6).tolist()
    ([0, 2], [[2.0], [0.0]])
    """
    left = gram.astype("float64")
    own = np.diag(gram).copy()
    found = []
    for place in range(len(gram)):
        if own[place] > 0 and left[place, place] > _REPEATED * own[place]:
            found.append(place)
            left = left - np.outer(left[:, place], left[place]) / left[place, place]
    kept = np.array(found, dtype=int)
    dropped = np.setdiff1d(np.arange(len(gram)), kept)
    inverse, _ = invert_positive(gram[np.ix_(kept, kept)])
    if inverse is None:
        inverse = np.linalg.pinv(gram[np.ix_(kept, kept)])
    return kept, inverse @ gram[np.ix_(kept, dropped)]


def _list_reasons(sums: Any, dropped: tuple[str, ...]) -> tuple[str, ...]:
    reasons = []
    if sums.n_dropped:
        reasons.append(f"{sums.n_dropped} rows lack a score or a factor of the model and were left out.")
    if sums.n_empty:
        reasons.append(f"{sums.n_empty} patients have no complete row and were left out.")
    if dropped:
        reasons.append(f"Columns that repeat others or hold nothing were left out: {', '.join(dropped)}.")
    return tuple(reasons)


def _check_numbers(stack: Stack, cross: np.ndarray, kept: np.ndarray) -> tuple[str, str]:
    """Return why nothing can be estimated, if so."""
    if stack.n_rows <= len(kept) or stack.counts.sum() < 2:
        return "too_few", f"{stack.n_rows} rows are too few for {len(kept)} columns."
    inverse, _ = invert_positive(cross[np.ix_(kept, kept)])
    if inverse is None:
        return "not_converged", "The columns of the model cannot be told apart numerically."
    explained = cross[kept, -1] @ inverse @ cross[kept, -1]
    if not cross[-1, -1] - explained > _NOTHING_LEFT * max(cross[-1, -1], stack.n_rows):
        return "degenerate", "The scores do not vary beyond what the model explains."
    return "ok", ""


def _maximise(held: MmrmFit, choices: Choices) -> MmrmFit:
    assert held.stack is not None
    n_visits = held.stack.n_visits
    form = choose_covariance(choices.covariance, n_visits, choices.equally_spaced)
    start = begin_with_moments(held.stack, form)
    optimum = minimise_deviance(held.stack, form, start, choices.method == "reml")
    parts = [] if optimum is None else np.split(optimum.theta, held.stack.n_groups)
    if any(form.find_nothing(part, n_visits) for part in parts):
        reason = (
            "At a visit the scores do not vary beyond what the model explains, so that the likelihood has no "
            f"maximum with the covariance {choices.covariance!r}."
        )
        return replace(held, state="not_converged", reasons=(*held.reasons, reason))
    on_boundary = any(form.find_boundary(part, n_visits) for part in parts)
    if optimum is None or not (optimum.converged or on_boundary):
        reason = (
            f"The likelihood has no maximum that could be found with the covariance {choices.covariance!r}."
        )
        return replace(held, state="not_converged", reasons=(*held.reasons, reason))
    found = replace(held, optimum=optimum)
    if on_boundary:
        reason = "A correlation between visits is 1, as nearly as can be told."
        found = replace(found, state="boundary", reasons=(*found.reasons, reason))
    return add_inference(found, choices)
