"""One adapter for each group of rows: customers, authors, languages."""
