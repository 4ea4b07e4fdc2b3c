"""A served model, or a run, asked again on a schedule and held against what was blessed."""
