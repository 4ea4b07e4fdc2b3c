"""How much data: the score by rows trained on, and what twice the rows would bring."""
