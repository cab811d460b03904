"""The (restricted) likelihood with its derivatives, from pattern sums alone.

With ``A`` the inverse of a pattern's block of the covariance ``Sigma`` (zero for visits not in the pattern)
and ``S[s, t]`` the sums of products of rows at visits s and t, minus twice the restricted log-likelihood is

    (N - p) log 2 pi + sum n log|Sigma_m| + log|H| + sum A . Syy - beta' sum A . Sxy,    H = sum A . Sxx

without the half log|X'X| that some programs add; ``V = inv(H)`` and ``beta = V sum A . Sxy``.
Its cost does not depend on the number of patients.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

from outcomes.analyses.mmrm.covariances import Covariance, fill_moments
from outcomes.analyses.mmrm.design import Design, PatternSums

#: Largest copy of blocks of sums that is kept between evaluations, in bytes.
_MOST_KEPT_BYTES = 200_000_000


@dataclass(frozen=True)
class Stack:
    """The sums of M patterns beside each other, for the columns of the model that are kept."""

    #: Shape (M, L, L).
    grams: np.ndarray
    #: Shape (M,).
    counts: np.ndarray
    #: Shape (M, T).
    seen: np.ndarray
    #: Shape (M,): place of the covariance among those of the groups.
    group: np.ndarray
    #: Shape (T, p + 1): position of each kept column, and last of the score, at each visit; -1 where it is
    #: 0.
    selection: np.ndarray

    @property
    def n_visits(self) -> int:
        """How many visits there are."""
        return self.seen.shape[1]

    @property
    def n_groups(self) -> int:
        """How many groups have a covariance of their own."""
        return int(self.group.max()) + 1

    @property
    def n_rows(self) -> int:
        """Complete rows."""
        return int((self.counts * self.seen.sum(axis=1)).sum())

    @property
    def n_columns(self) -> int:
        """Kept columns of the model."""
        return self.selection.shape[1] - 1

    @cached_property
    def _pairs(self) -> list[tuple[int, int, np.ndarray]]:
        """Pairs of visits with the patterns that hold both."""
        pairs = combinations_with_replacement(range(self.n_visits), 2)
        return [(s, t, np.flatnonzero(self.seen[:, s] & self.seen[:, t])) for s, t in pairs]

    @cached_property
    def _used(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Per visit the positions in use and the 0/1 matrix from them to columns and score."""
        found = []
        for row in self.selection:
            used, place = np.unique(row[row >= 0], return_inverse=True)
            matrix = np.zeros((len(used), len(row)))
            matrix[place, np.flatnonzero(row >= 0)] = 1.0
            found.append((used, matrix))
        return found

    @cached_property
    def _kept_blocks(self) -> list[np.ndarray] | None:
        widths = [len(used) for used, _ in self._used]
        size = sum(8 * len(members) * widths[s] * widths[t] for s, t, members in self._pairs)
        return [self._cut(*pair) for pair in self._pairs] if size < _MOST_KEPT_BYTES else None

    def _list_blocks(self) -> Iterator[tuple[int, int, np.ndarray, np.ndarray]]:
        """Yield each pair of visits that somebody has, the patterns that hold both, and their sums."""
        for number, (s, t, members) in enumerate(self._pairs):
            if len(members):
                kept = self._kept_blocks
                yield s, t, members, kept[number] if kept is not None else self._cut(s, t, members)

    def _cut(self, s: int, t: int, members: np.ndarray) -> np.ndarray:
        block = self.grams[np.ix_(members, self._used[s][0], self._used[t][0])]
        return block.reshape(len(members), block.shape[1] * block.shape[2])

    def contract(self, weight: np.ndarray) -> np.ndarray:
        """Return sums over patterns and visits of ``weight[..., m, s, t] * S_m[s, t]``.

        Weights of shape (..., M, T, T), symmetric in visits, give (..., p + 1, p + 1): columns, then score.
        """
        lead = weight.shape[:-3]
        total = np.zeros((*lead, self.selection.shape[1], self.selection.shape[1]))
        for s, t, members, block in self._list_blocks():
            (left, from_left), (right, from_right) = self._used[s], self._used[t]
            summed = (weight[..., members, s, t] @ block).reshape(*lead, len(left), len(right))
            part = from_left.T @ summed @ from_right
            total += part
            if s != t:
                total += np.swapaxes(part, -1, -2)
        return total

    def project(self, matrix: np.ndarray) -> np.ndarray:
        """Return per pattern and pair of visits the trace of a symmetric matrix with its sums, (M, T, T)."""
        traces = np.zeros((len(self.counts), self.n_visits, self.n_visits))
        for s, t, members, block in self._list_blocks():
            spread = self._used[s][1] @ matrix @ self._used[t][1].T
            traces[members, s, t] = traces[members, t, s] = block @ spread.ravel()
        return traces


def stack_patterns(sums: PatternSums, design: Design, kept: np.ndarray, groups: list[int]) -> Stack:
    """Set the sums of all patterns beside each other."""
    keys = sorted(sums.grams)
    masks = np.array([mask for _, mask in keys], dtype=np.int64)
    visits = np.arange(design.n_visits)
    scores = len(design.parts) + visits
    return Stack(
        np.stack([sums.grams[key] for key in keys]),
        np.array([sums.counts[key] for key in keys], dtype="float64"),
        (masks[:, None] >> visits & 1).astype(bool),
        np.array([groups.index(group) for group, _ in keys]),
        np.column_stack([design.selection[:, kept], scores]),
    )


@dataclass(frozen=True)
class Evaluation:
    """The likelihood at some covariances."""

    #: Minus twice the (restricted) log-likelihood; infinite where a covariance is not positive definite.
    deviance: float
    #: Shape (p,).
    beta: np.ndarray
    #: Shape (p, p): ``V``.
    vcov: np.ndarray
    #: Shape (M, T, T): ``A``.
    inverses: np.ndarray


def evaluate_likelihood(stack: Stack, sigmas: np.ndarray, reml: bool) -> Evaluation:
    """Evaluate the likelihood at the covariances of the groups, shape (groups, T, T)."""
    nothing = Evaluation(np.inf, np.empty(0), np.empty((0, 0)), np.empty(0))
    inverses, log_det = _invert_blocks(stack, sigmas)
    if inverses is None:
        return nothing
    total = stack.contract(inverses)
    information, cross, square = total[:-1, :-1], total[:-1, -1], total[-1, -1]
    vcov, log_information = invert_positive(information)
    if vcov is None:
        return nothing
    beta = vcov @ cross
    beta += vcov @ (cross - information @ beta)
    deviance = stack.counts @ log_det + square - beta @ cross
    n_free = stack.n_rows
    if reml:
        deviance += log_information
        n_free -= stack.n_columns
    return Evaluation(float(deviance + n_free * np.log(2 * np.pi)), beta, vcov, inverses)


def _invert_blocks(stack: Stack, sigmas: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """Invert each pattern's block, zero outside it; None where one is not positive definite."""
    both = stack.seen[:, :, None] & stack.seen[:, None, :]
    blocks = np.where(both, sigmas[stack.group], np.eye(stack.n_visits))
    if not np.isfinite(blocks).all():
        return None, np.empty(0)
    try:
        factors = np.linalg.cholesky(blocks)
    except np.linalg.LinAlgError:
        return None, np.empty(0)
    roots = np.diagonal(factors, axis1=1, axis2=2)
    if roots.min() < 1e-12 * roots.max():
        return None, np.empty(0)
    half = np.linalg.inv(factors)
    return np.where(both, np.swapaxes(half, 1, 2) @ half, 0.0), 2 * np.log(roots).sum(axis=1)


def invert_positive(matrix: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Invert a positive definite matrix whatever the scales of its rows; None where it is not one."""
    scale = np.sqrt(np.abs(np.diag(matrix)))
    if not (np.isfinite(matrix).all() and (scale > 0).all()):
        return None, np.nan
    try:
        factor = np.linalg.cholesky(matrix / np.outer(scale, scale))
    except np.linalg.LinAlgError:
        return None, np.nan
    half = np.linalg.inv(factor) / scale
    return half.T @ half, float(2 * (np.log(np.diag(factor)) + np.log(scale)).sum())


@dataclass(frozen=True)
class Slopes:
    """Derivatives of the deviance by the R parameters of all groups, and what degrees of freedom need."""

    #: Shape (R,).
    gradient: np.ndarray
    #: Shape (R, R).
    hessian: np.ndarray
    #: Shape (R, p, p): ``P``, the derivatives of ``H``.
    information: np.ndarray
    #: Shape (R, T, T): derivatives of the covariance of the parameter's group.
    jacobian: np.ndarray
    #: Shape (r, r, T, T): second derivatives, per group.
    second: list[np.ndarray]
    #: Shape (R,): group of each parameter.
    owner: np.ndarray


def differentiate(
    stack: Stack, at: Evaluation, jacobians: list[np.ndarray], seconds: list[np.ndarray], reml: bool
) -> Slopes:
    """Differentiate the deviance twice."""
    residual = np.append(-at.beta, 1.0)
    moments = np.outer(residual, residual)
    if reml:
        moments[:-1, :-1] += at.vcov
    inner = stack.project(moments)
    bent = at.inverses @ inner @ at.inverses
    owner = np.repeat(np.arange(len(jacobians)), [len(entry) for entry in jacobians])
    total = len(owner)
    gradient, hessian = np.zeros(total), np.zeros((total, total))
    sloped = np.zeros((total, *([stack.selection.shape[1]] * 2)))
    for group, (first, second) in enumerate(zip(jacobians, seconds, strict=True)):
        own, members = np.flatnonzero(owner == group), np.flatnonzero(stack.group == group)
        inverse, weights = at.inverses[members], stack.counts[members]
        pull = np.einsum("m,mst->st", weights, inverse) - bent[members].sum(axis=0)
        gradient[own] = np.einsum("st,rst->r", pull, first)
        hessian[np.ix_(own, own)] = np.einsum("st,rqst->rq", pull, second)
        hessian[np.ix_(own, own)] += _curve(inverse, bent[members], weights, first)
        turned = np.zeros((len(own), len(stack.counts), stack.n_visits, stack.n_visits))
        turned[:, members] = -(inverse @ first[:, None] @ inverse)
        sloped[own] = stack.contract(turned)
    information = sloped[:, :-1, :-1]
    pulled = sloped[:, :-1] @ residual
    hessian -= 2 * pulled @ at.vcov @ pulled.T
    if reml:
        through = at.vcov @ information
        hessian -= np.einsum("rij,sji->rs", through, through)
    return Slopes(gradient, (hessian + hessian.T) / 2, information, np.concatenate(jacobians), seconds, owner)


def _curve(inverse: np.ndarray, bent: np.ndarray, counts: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return ``sum -n tr(A D_r A D_s) + tr(D_r A D_s B) + tr(D_s A D_r B)`` with B = A M A."""
    n_visits = inverse.shape[1]
    flat = inverse.reshape(len(inverse), -1)
    weighed = bent.reshape(len(bent), -1) * 2 - counts[:, None] * flat
    # Sum of A[j, k] * (2 B - n A)[l, i], arranged as (i, j) by (k, l).
    kernel = (flat.T @ weighed).reshape((n_visits,) * 4)
    kernel = kernel.transpose(3, 0, 1, 2).reshape(n_visits**2, n_visits**2)
    derivative = first.reshape(len(first), -1)
    curve = derivative @ kernel @ derivative.T
    return (curve + curve.T) / 2


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
