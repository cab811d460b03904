"""Columns to scores: what was measured, and the assessments of all files side by side."""
