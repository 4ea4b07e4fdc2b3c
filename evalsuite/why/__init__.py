"""Why an ability fell short: failures in named groups, with the training rows nearest to them."""
