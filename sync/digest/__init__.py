"""The stakeholder digest: what each audience is told of what changed or needs a decision, and when."""
