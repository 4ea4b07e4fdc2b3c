"""What a curation computed before, found again by what it depends on."""
