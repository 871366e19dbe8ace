"""Limits: their SQL, what they are measured on, and the watch that tells of breaches."""
