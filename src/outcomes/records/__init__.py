"""From a source to checked records."""
