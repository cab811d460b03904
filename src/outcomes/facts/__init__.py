"""What the field knows, as cited data: instruments, therapies, time points, sources, rules and words."""

from outcomes.facts.file_spec import AbsenceSpec, ExcludeSpec, FileSpec, RowsSpec, ScoreSpec
from outcomes.facts.header_words import find_header_doubt, find_languages, tells_answers
from outcomes.facts.instrument import Instrument, Threshold, parse_rule
from outcomes.facts.instrument_file import list_instruments, list_loinc_codes, read_instrument
from outcomes.facts.scale import OWN, Scale, find_shown, list_scales
from outcomes.facts.schema import Column, Therapy, Timepoint, read_schema, read_therapies, read_timepoints
from outcomes.facts.source import Source, list_sources, read_source
from outcomes.facts.statistic import Statistic, read_statistics
from outcomes.facts.toml import find_project, list_facts, read_facts
from outcomes.facts.wording import (
    Count,
    Lines,
    Listing,
    Name,
    Text,
    Value,
    Words,
    describe_finding,
    list_parts,
    read_words,
)

__all__ = [
    "OWN",
    "AbsenceSpec",
    "Column",
    "Count",
    "ExcludeSpec",
    "FileSpec",
    "Instrument",
    "Lines",
    "Listing",
    "Name",
    "RowsSpec",
    "Scale",
    "ScoreSpec",
    "Source",
    "Statistic",
    "Text",
    "Therapy",
    "Threshold",
    "Timepoint",
    "Value",
    "Words",
    "describe_finding",
    "find_header_doubt",
    "find_languages",
    "find_project",
    "find_shown",
    "list_facts",
    "list_instruments",
    "list_loinc_codes",
    "list_parts",
    "list_scales",
    "list_sources",
    "parse_rule",
    "read_facts",
    "read_instrument",
    "read_schema",
    "read_source",
    "read_statistics",
    "read_therapies",
    "read_timepoints",
    "read_words",
    "tells_answers",
]
