"""Mixed models for repeated measures (MMRM): scores over visits with an unstructured or other covariance.

For a statistician, on any long table; `outcomes.analyses.over_time` is the comparison of a cohort's
therapies.

Examples
--------
>>> import pandas as pd
>>> from outcomes.analyses.mmrm import fit
>>> table = pd.DataFrame(
...     {
...         "id": [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6],
...         "visit": ["week 6", "week 12"] * 6,
...         "therapy": ["A"] * 6 + ["B"] * 6,
...         "score": [40, 31, 44, 40, 37, 30, 45, 43, 39, 38, 48, 41.0],
...     }
... )
>>> fitted = fit("score ~ therapy*visit", table, subject="id", visit="visit")
>>> fitted.state
'ok'
>>> fitted.contrasts()[["group", "versus", "visit", "estimate", "df"]].round(2)
  group versus    visit  estimate   df
0     A      B  week 12     -7.00  4.0
1     A      B   week 6     -3.67  4.0
"""

from outcomes.analyses.mmrm.inference import METHODS
from outcomes.analyses.mmrm.model import MmrmFit, fit
from outcomes.analyses.mmrm.standard_errors import check_choices

__all__ = ["METHODS", "MmrmFit", "check_choices", "fit"]
