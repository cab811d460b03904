"""From a release to tables, figures and sentences."""

from outcomes.views.answer import say_answer
from outcomes.views.baseline_table import tabulate_baseline, tabulate_nonresponse
from outcomes.views.comparison import (
    draw_forest,
    say_comparison,
    tabulate_comparability,
    tabulate_contrasts,
    tabulate_marginal_means,
    tabulate_standardised,
)
from outcomes.views.completeness_map import draw_completeness
from outcomes.views.cumulative_curve import draw_cumulative
from outcomes.views.domains import draw_domains, say_profile, tabulate_domains
from outcomes.views.flow_chart import draw_flow
from outcomes.views.model_checks import (
    draw_residuals,
    say_model,
    tabulate_criteria,
    tabulate_joint_tests,
    tabulate_patterns,
    tabulate_sensitivity,
    tabulate_shapes,
    tabulate_visit_covariance,
)
from outcomes.views.outcome_tables import (
    tabulate_change,
    tabulate_completeness,
    tabulate_effect_sizes,
    tabulate_responders,
)
from outcomes.views.periods import draw_trend, say_trend, tabulate_periods
from outcomes.views.quality_tables import say_counting, tabulate_assessed, tabulate_reading, tabulate_recorded
from outcomes.views.since_last import say_since_last, tabulate_since_last
from outcomes.views.sites import draw_funnel, say_sites, tabulate_sites
from outcomes.views.statements import (
    say_ends,
    say_flow,
    say_limits,
    say_methods,
    say_title,
    tabulate_instrument,
)
from outcomes.views.trajectory import draw_marginal_means, draw_trajectory
from outcomes.views.view import View, read_view, write_view

__all__ = [
    "View",
    "draw_completeness",
    "draw_cumulative",
    "draw_domains",
    "draw_flow",
    "draw_forest",
    "draw_funnel",
    "draw_marginal_means",
    "draw_residuals",
    "draw_trajectory",
    "draw_trend",
    "read_view",
    "say_answer",
    "say_comparison",
    "say_counting",
    "say_ends",
    "say_flow",
    "say_limits",
    "say_methods",
    "say_model",
    "say_profile",
    "say_since_last",
    "say_sites",
    "say_title",
    "say_trend",
    "tabulate_assessed",
    "tabulate_baseline",
    "tabulate_change",
    "tabulate_comparability",
    "tabulate_completeness",
    "tabulate_contrasts",
    "tabulate_criteria",
    "tabulate_domains",
    "tabulate_effect_sizes",
    "tabulate_instrument",
    "tabulate_joint_tests",
    "tabulate_marginal_means",
    "tabulate_nonresponse",
    "tabulate_patterns",
    "tabulate_periods",
    "tabulate_reading",
    "tabulate_recorded",
    "tabulate_responders",
    "tabulate_sensitivity",
    "tabulate_shapes",
    "tabulate_since_last",
    "tabulate_sites",
    "tabulate_standardised",
    "tabulate_visit_covariance",
    "write_view",
]
