"""Models that answer; nothing is imported until one is opened."""
