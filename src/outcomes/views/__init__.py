"""From a release to tables, figures and sentences."""

from outcomes.views.answer import say_answer
from outcomes.views.baseline_table import tabulate_baseline, tabulate_nonresponse
from outcomes.views.comparison_statement import say_comparison
from outcomes.views.comparison_tables import (
    tabulate_comparability,
    tabulate_contrasts,
    tabulate_marginal_means,
    tabulate_standardised,
)
from outcomes.views.completeness_map import draw_completeness
from outcomes.views.cumulative_curve import draw_cumulative
from outcomes.views.ends import say_ends
from outcomes.views.flow_chart import draw_flow
from outcomes.views.forest import draw_forest
from outcomes.views.model_tables import (
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
from outcomes.views.quality_tables import say_counting, tabulate_assessed, tabulate_reading, tabulate_recorded
from outcomes.views.residual_plot import draw_residuals
from outcomes.views.statements import say_flow, say_limits, say_methods, say_title, tabulate_instrument
from outcomes.views.trajectory import draw_marginal_means, draw_trajectory
from outcomes.views.view import View, read_view, write_view

__all__ = [
    "View",
    "draw_completeness",
    "draw_cumulative",
    "draw_flow",
    "draw_forest",
    "draw_marginal_means",
    "draw_residuals",
    "draw_trajectory",
    "read_view",
    "say_answer",
    "say_comparison",
    "say_counting",
    "say_ends",
    "say_flow",
    "say_limits",
    "say_methods",
    "say_model",
    "say_title",
    "tabulate_assessed",
    "tabulate_baseline",
    "tabulate_change",
    "tabulate_comparability",
    "tabulate_completeness",
    "tabulate_contrasts",
    "tabulate_criteria",
    "tabulate_effect_sizes",
    "tabulate_instrument",
    "tabulate_joint_tests",
    "tabulate_marginal_means",
    "tabulate_nonresponse",
    "tabulate_patterns",
    "tabulate_reading",
    "tabulate_recorded",
    "tabulate_responders",
    "tabulate_sensitivity",
    "tabulate_shapes",
    "tabulate_standardised",
    "tabulate_visit_covariance",
    "write_view",
]
