"""A source drafted from any file of records, and the Excel form that needs no source."""

from outcomes.drafting.draft import Draft, draft_source
from outcomes.drafting.form import write_form

__all__ = ["Draft", "draft_source", "write_form"]
