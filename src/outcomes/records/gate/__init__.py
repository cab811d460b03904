"""The de-identification gate: what may identify people is refused, counted or replaced."""

from outcomes.records.gate.anonymity import measure_anonymity, report_anonymity
from outcomes.records.gate.inspection import find_identifying, mark_identifying, names_person
from outcomes.records.gate.keyed_ids import rekey_links
from outcomes.records.gate.patterns import match_header
from outcomes.records.gate.person_names import find_person_names
from outcomes.records.gate.reviewed_exceptions import ReviewedExceptions, keep_gate_record

__all__ = [
    "ReviewedExceptions",
    "find_identifying",
    "find_person_names",
    "keep_gate_record",
    "mark_identifying",
    "match_header",
    "measure_anonymity",
    "names_person",
    "rekey_links",
    "report_anonymity",
]
