"""The archive: what each release of a series said and what it was made from, kept privately."""
