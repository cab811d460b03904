"""The de-identification gate: what may identify people is refused, counted or replaced."""

from outcomes.records.gate.anonymity import report_anonymity
from outcomes.records.gate.column_names import match_header
from outcomes.records.gate.column_values import find_person_names
from outcomes.records.gate.inspection import find_identifying, names_person
from outcomes.records.gate.keyed_ids import rekey_links

__all__ = [
    "find_identifying",
    "find_person_names",
    "match_header",
    "names_person",
    "rekey_links",
    "report_anonymity",
]
