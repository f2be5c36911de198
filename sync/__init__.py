"""milesync's core: from a tracker's history to a milestone's health and a plan of writes."""
