"""What the quality steps are made of: mending, finding personal data, rules of the filter."""
