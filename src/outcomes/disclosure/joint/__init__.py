"""What follows from several shown numbers taken together: suppression before, audit after a page is made."""
