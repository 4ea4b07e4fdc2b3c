"""Ways of making rows; `registry` is the closed list of them."""
