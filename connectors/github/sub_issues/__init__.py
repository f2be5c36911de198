"""Sub-issues: their reader, their trees, and the pages of the milestones that they make."""
