"""When trading stops: what a halt is, the rules that impose and lift it, and what it does to orders."""
