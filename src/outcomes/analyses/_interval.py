"""Means and shares with their intervals."""

from numbers import Real
from typing import Any

import numpy as np
from scipy import special

from outcomes.analyses._clusters import estimate_clustered_mean
from outcomes.errors import AnalysisError
from outcomes.result import WITH_ESTIMATE


def check_level(conf_level: object) -> None:
    """Refuse a level of intervals that is no proportion between 0 and 1."""
    proper = isinstance(conf_level, Real) and not isinstance(conf_level, bool | np.bool_)
    if not proper or not 0 < float(conf_level) < 1:  # type: ignore[arg-type]
        raise AnalysisError(
            f"conf_level is a proportion between 0 and 1, such as 0.95 for 95 %; {conf_level!r} is none."
        )


def quantile_t(conf_level: float, df: float | np.ndarray) -> Any:
    """Return the two-sided quantile of Student's t, such as 1.96 for 0.95 and many degrees of freedom.

    >>> round(float(quantile_t(0.95, 9)), 4)
    2.2622
    """
    return special.stdtrit(df, (1 + conf_level) / 2)


def p_value_t(statistic: float | np.ndarray, df: float | np.ndarray) -> Any:
    """Return the two-sided p-value of a t statistic.

    >>> round(float(p_value_t(2.2622, 9)), 3)
    0.05
    """
    return 2 * special.stdtr(df, -np.abs(statistic))


def estimate_mean(
    values: np.ndarray,
    patients: np.ndarray,
    conf_level: float,
    one_each: bool = False,
    ends: tuple[float, float] = (-np.inf, np.inf),
) -> dict[str, Any]:
    """Estimate the mean of some episodes, none missing, with its t interval, as columns of a row.

    Where patients have several episodes the variance is clustered by patient (CR2, Satterthwaite degrees of
    freedom); `one_each` says that none comes twice. Where the t interval would leave the scale, whose `ends`
    are the lowest and the highest possible value, it is taken on the logit scale between these. Fewer than
    two patients: ``too_few``. No spread: ``boundary``, without an interval.

    >>> found = estimate_mean(np.array([0.0, 0, 0, 0, 4]), np.arange(5), 0.95, ends=(0, 10))
    >>> [round(found[name], 2) for name in ("estimate", "conf_low", "conf_high")]
    [0.8, 0.04, 6.4]
    """
    position = np.arange(len(patients)) if one_each else np.unique(patients, return_inverse=True)[1]
    n = int(position.max(initial=-1)) + 1
    if n < 2:
        return {"n": n, "state": "too_few"}
    mean = float(values.mean())
    if np.ptp(values) == 0:
        return {"estimate": mean, "n": n, "state": "boundary"}
    std_error, df = estimate_clustered_mean(values, position)
    bounds = bound_mean(mean, float(quantile_t(conf_level, df)) * std_error, ends)
    return {"estimate": mean, "std_error": std_error, "df": df, **bounds, "n": n, "state": "ok"}


def bound_mean(mean: float, margin: float, ends: tuple[float, float]) -> dict[str, float]:
    """Return a mean's interval as columns of a row; on the logit scale where it would leave the scale."""
    low, high = ends
    if low < mean < high and (mean - margin < low or mean + margin > high):
        # the margin by the delta method: d logit(p) = d mean * width / ((mean - low) * (high - mean))
        width = high - low
        centre = float(special.logit((mean - low) / width))
        reach = margin * width / ((mean - low) * (high - mean))
        logits = {"conf_low": centre - reach, "conf_high": centre + reach}
        # rounded, so that an end all but at that of the scale is that of the scale
        return {name: round(low + width * float(special.expit(end)), 4) for name, end in logits.items()}
    return {"conf_low": mean - margin, "conf_high": mean + margin}


def hold_to_scale(found: dict[str, Any], ends: tuple[float, float]) -> dict[str, Any]:
    """Return a model's mean with its interval cut off at the ends of the scale.

    A mean that no patients can have is not given: state ``out_of_range``.
    """
    if "estimate" not in found or found["state"] not in WITH_ESTIMATE:
        return found
    slack = 1e-9 * (ends[1] - ends[0])
    if not ends[0] - slack <= found["estimate"] <= ends[1] + slack:
        return {"state": "out_of_range"}
    return {**found, **{name: float(np.clip(found[name], *ends)) for name in ("conf_low", "conf_high")}}


def estimate_sd(values: np.ndarray, n: int) -> dict[str, Any]:
    """Estimate a standard deviation (divisor: episodes less one) of at least two patients."""
    if n < 2:
        return {"n": n, "state": "too_few"}
    sd = float(values.std(ddof=1))
    return {"estimate": sd, "n": n, "state": "ok" if sd > 0 else "boundary"}


def estimate_share(n_with: int, n_rows: int, n: int, conf_level: float) -> dict[str, Any]:
    """Estimate the share of `n_with` of `n_rows` episodes, as columns of a row.

    The interval is that of Wilson (1927, doi 10.1080/01621459.1927.10502953); it takes the `n` distinct
    patients as its sample, so that second episodes of a patient do not make it narrower. No patients:
    ``too_few``.

    >>> share = estimate_share(56, 70, 70, 0.95)
    >>> round(share["conf_low"], 6), round(share["conf_high"], 6)
    (0.691834, 0.876953)
    """
    if n == 0:
        return {"n": 0, "state": "too_few"}
    share = n_with / n_rows
    z = float(special.ndtri((1 + conf_level) / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    margin = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low = float(centre - margin) if n_with else 0.0  # exact at the ends
    high = float(centre + margin) if n_with < n_rows else 1.0
    return {"estimate": share, "conf_low": low, "conf_high": high, "n": n, "state": "ok"}
