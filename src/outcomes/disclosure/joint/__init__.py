"""What follows from several shown numbers taken together: suppression before, audit after a page is made."""

from outcomes.disclosure.joint.audit import Audit, audit_page
from outcomes.disclosure.joint.page import ShownNumbers

__all__ = ["Audit", "ShownNumbers", "audit_page"]
