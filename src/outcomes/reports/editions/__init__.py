"""Editions for stakeholders: guarded while they are made, approved by a person, then put in place."""
