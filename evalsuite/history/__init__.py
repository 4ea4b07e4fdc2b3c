"""What all evaluations of a workspace found, by model and ability, over time."""
