"""Records held against each other and against what is possible: keys, days, ranges, sites, sessions."""
