"""From a release to tables, figures and sentences."""
