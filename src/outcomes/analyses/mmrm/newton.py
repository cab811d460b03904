"""Newton's method with step halving on the deviance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outcomes.analyses.mmrm.covariances import Covariance, fill_moments
from outcomes.analyses.mmrm.likelihood import (
    Evaluation,
    Slopes,
    Stack,
    differentiate,
    evaluate_likelihood,
)

#: Steps at most, and halvings of one step.
MOST_STEPS, MOST_HALVINGS = 60, 30
#: Newton decrement (twice the fall in deviance still to be had) after which one more step is the last: it
#: leaves an error that is the square of the present one.
_LAST_STEP = 1e-9
#: Largest change of a parameter in one step: logarithms of standard deviations and unbounded correlations.
_LONGEST_STEP = 1.5


@dataclass(frozen=True)
class Optimum:
    """Where the search ended."""

    #: Shape (R,): parameters of all groups, one group after another.
    theta: np.ndarray
    #: Shape (groups, T, T).
    sigmas: np.ndarray
    at: Evaluation
    slopes: Slopes
    converged: bool
    n_steps: int


def begin_with_moments(stack: Stack, covariance: Covariance) -> np.ndarray:
    """Return starting parameters from the residuals of least squares; the same at every run."""
    ones = np.tile(np.eye(stack.n_visits), (stack.n_groups, 1, 1))
    at = evaluate_likelihood(stack, ones, reml=False)
    residual = np.append(-at.beta, 1.0)
    squares = stack.project(np.outer(residual, residual))
    both = stack.seen[:, :, None] & stack.seen[:, None, :]
    starts = []
    for group in range(stack.n_groups):
        members = stack.group == group
        numbers = np.einsum("m,mst->st", stack.counts[members], both[members])
        starts.append(covariance.begin(fill_moments(squares[members].sum(axis=0), numbers)))
    return np.concatenate(starts)


def minimise_deviance(stack: Stack, covariance: Covariance, theta: np.ndarray, reml: bool) -> Optimum | None:
    """Find the minimum of the deviance.

    Newton steps from ``theta``; where the Hessian is not positive definite its eigenvalues are made so; a
    step that does not lower the deviance, or leaves the positive definite covariances, is halved.
    Return None where the deviance is not defined at the start.
    """
    at = _evaluate(stack, covariance, theta, reml)
    if not np.isfinite(at.deviance):
        return None
    converged, step_number = False, 0
    slopes = _differentiate(stack, covariance, theta, at, reml)
    while step_number < MOST_STEPS:
        step = _find_step(slopes)
        decrement = -float(step @ slopes.gradient)
        last = decrement < _LAST_STEP
        moved = _shorten(stack, covariance, theta, step, at, reml, slopes.gradient, last)
        if moved is None:
            converged = last
            break
        theta, at = moved
        step_number += 1
        slopes = _differentiate(stack, covariance, theta, at, reml)
        if last:
            converged = True
            break
    # A minimum: the Hessian is positive definite there.
    converged &= bool(np.linalg.eigvalsh(slopes.hessian)[0] > 0)
    return Optimum(theta, _expand(stack, covariance, theta)[0], at, slopes, converged, step_number)


def _expand(
    stack: Stack, covariance: Covariance, theta: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    parts = [covariance.expand(own, stack.n_visits) for own in np.split(theta, stack.n_groups)]
    return np.stack([part[0] for part in parts]), [part[1] for part in parts], [part[2] for part in parts]


def _evaluate(stack: Stack, covariance: Covariance, theta: np.ndarray, reml: bool) -> Evaluation:
    with np.errstate(over="ignore", invalid="ignore"):
        return evaluate_likelihood(stack, _expand(stack, covariance, theta)[0], reml)


def _differentiate(
    stack: Stack, covariance: Covariance, theta: np.ndarray, at: Evaluation, reml: bool
) -> Slopes:
    _, jacobians, seconds = _expand(stack, covariance, theta)
    return differentiate(stack, at, jacobians, seconds, reml)


def _find_step(slopes: Slopes) -> np.ndarray:
    values, vectors = np.linalg.eigh(slopes.hessian)
    floor = 1e-10 * np.abs(values).max()
    step = -vectors @ ((vectors.T @ slopes.gradient) / np.maximum(np.abs(values), max(floor, 1e-300)))
    longest = np.abs(step).max()
    return step * min(1.0, _LONGEST_STEP / longest) if longest > 0 else step


def _shorten(
    stack: Stack,
    covariance: Covariance,
    theta: np.ndarray,
    step: np.ndarray,
    at: Evaluation,
    reml: bool,
    gradient: np.ndarray,
    last: bool,
) -> tuple[np.ndarray, Evaluation] | None:
    """Halve the step until the deviance falls; near the minimum rounding may hide the fall."""
    slack = 1e-9 * (1 + abs(at.deviance)) if last else 0.0
    for halving in range(MOST_HALVINGS):
        size = 0.5**halving
        moved = theta + size * step
        reached = _evaluate(stack, covariance, moved, reml)
        if reached.deviance <= at.deviance + 1e-4 * size * float(step @ gradient) + slack:
            return moved, reached
    return None
