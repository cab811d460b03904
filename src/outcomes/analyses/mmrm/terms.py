"""A model formula as terms, each a set of factors: numbers or categories."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outcomes.errors import AnalysisError

#: Transformations that learn from all values at once, so that a pass in parts would give other columns.
_STATEFUL = ("bs", "cs", "cc", "cr", "te", "poly", "center", "scale", "standardize", "lag")


@dataclass(frozen=True)
class Factor:
    """One factor of a term.

    Parameters
    ----------
    name : str
        As written in the formula, such as ``therapy``, ``C(region)`` or ``np.log(age)``.
    variables : tuple of str
        Columns of the table that it is computed from.
    categorical : bool
        Whether it was declared a category by ``C()``; other categories are found by their values.
    """

    name: str
    variables: tuple[str, ...]
    categorical: bool

    @property
    def is_column(self) -> bool:
        """Whether the factor is a column of the table as it stands."""
        return self.categorical or self.variables == (self.name,)


@dataclass(frozen=True)
class Terms:
    """What a formula says.

    Parameters
    ----------
    formula : str
    score : Factor
        The left-hand side.
    factors : tuple of Factor
        Distinct factors of the right-hand side, in order.
    terms : tuple of tuple of str
        Names of the factors of each term, terms of lower order first; the intercept is ``()``.
    """

    formula: str
    score: Factor
    factors: tuple[Factor, ...]
    terms: tuple[tuple[str, ...], ...]


def parse_formula(formula: str) -> Terms:
    """Parse a formula in the grammar of formulaic, which is that of Wilkinson and Rogers 1973 as R has it.

    Parameters
    ----------
    formula : str
        Such as ``"score ~ therapy*visit + baseline*visit + age"``. No covariance part: the covariance between
        visits is an argument of `outcomes.analyses.mmrm.fit`.

    Returns
    -------
    Terms

    Raises
    ------
    AnalysisError
        When it cannot be parsed, has no left-hand side or several, or asks for a transformation that learns
        from all values at once (splines, ``scale``): compute such a column first.

    Examples
    --------
    >>> parse_formula("score ~ therapy*visit + np.log(age)").terms
    ((), ('therapy',), ('visit',), ('np.log(age)',), ('therapy', 'visit'))
    """
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
        left, right = list(parsed.lhs), list(parsed.rhs)
    except (FormulaicError, AttributeError, SyntaxError) as error:
        raise AnalysisError(
            f"The formula {formula!r} cannot be read; write it as 'score ~ therapy*visit + age'."
        ) from error
    if len(left) != 1 or len(left[0].factors) != 1:
        raise AnalysisError(f"The formula {formula!r} needs exactly one score left of ~.")
    factors: dict[str, Factor] = {}
    terms = []
    for term in right:
        names = [entry.expr for entry in term.factors if entry.expr != "1"]
        factors.update({name: _read_factor(name) for name in names if name not in factors})
        terms.append(tuple(names))
    return Terms(formula, _read_factor(left[0].factors[0].expr), tuple(factors.values()), tuple(terms))


def _read_factor(name: str) -> Factor:
    from formulaic import Formula

    declared = re.fullmatch(r"C\((\w+)\)", name)
    if declared:
        return Factor(name, (declared[1],), True)
    called = re.findall(r"(\w+)\s*\(", name)
    if any(function in _STATEFUL for function in called) or name.startswith("C("):
        raise AnalysisError(
            f"{name} cannot be part of a model that is fitted in one pass: compute that column first and "
            "name it "
            "in the formula; categories are coded by treatment contrasts, C(column)."
        )
    return Factor(name, tuple(sorted(map(str, Formula(f"0 + {name}").required_variables))), False)
