"""`temper chat`: base and tuned model side by side. Importing this package imports no torch."""
