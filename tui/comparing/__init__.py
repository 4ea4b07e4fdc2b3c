"""Two runs, datasets or recipes held against each other. Without the terminal library."""
