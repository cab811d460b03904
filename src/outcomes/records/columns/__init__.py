"""Text to columns: coded once per distinct value, then typed, dated and named."""

from outcomes.records.columns.absence import blank_absent
from outcomes.records.columns.coded import Coded, is_known, match_texts, sort_rows
from outcomes.records.columns.dates import NO_DATE, DateForm, find_zone, parse_dates, to_day_number
from outcomes.records.columns.mapping import (
    list_missing_codes,
    list_spellings,
    look_up_codes,
    map_category,
    map_dates,
    map_flags,
    map_ids,
    map_numbers,
)
from outcomes.records.columns.names import (
    limit_categories,
    list_instrument_spellings,
    list_therapy_spellings,
    list_timepoint_spellings,
    map_instruments,
    map_therapy,
    map_timepoints,
)
from outcomes.records.columns.numbers import find_missing, parse_flags, parse_numbers
from outcomes.records.columns.part import Part, build_part, refuse_hazards
from outcomes.records.columns.written import read_written

__all__ = [
    "NO_DATE",
    "Coded",
    "DateForm",
    "Part",
    "blank_absent",
    "build_part",
    "find_missing",
    "find_zone",
    "is_known",
    "limit_categories",
    "list_instrument_spellings",
    "list_missing_codes",
    "list_spellings",
    "list_therapy_spellings",
    "list_timepoint_spellings",
    "look_up_codes",
    "map_category",
    "map_dates",
    "map_flags",
    "map_ids",
    "map_instruments",
    "map_numbers",
    "map_therapy",
    "map_timepoints",
    "match_texts",
    "parse_dates",
    "parse_flags",
    "parse_numbers",
    "read_written",
    "refuse_hazards",
    "sort_rows",
    "to_day_number",
]
