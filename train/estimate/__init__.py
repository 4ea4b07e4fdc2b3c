"""Memory, hours and money before anything is downloaded or loaded. Pure; imports no torch."""
