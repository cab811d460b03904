"""From a cohort to a result, one method a file."""
