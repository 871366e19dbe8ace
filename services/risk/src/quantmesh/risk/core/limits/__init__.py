"""What a portfolio may risk: definitions, measures on an account, and the check of orders beforehand (RSK-6)."""
