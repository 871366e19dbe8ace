"""How far arguments may go. Within them every price is a finite double; beyond them it would have no meaning."""

LARGEST_AMOUNT = 1e100
LARGEST_TIME = 1e6
LARGEST_RATE = 1e6
LARGEST_VOLATILITY = 1e6
# Of a rate times a time: exp(400) times the largest amount is still a double.
LARGEST_EXPONENT = 400.0
# What is inverted has to be positive, and far from where doubles lose their precision.
SMALLEST_AMOUNT = 1e-100
