"""What the API answers, as frozen values.

Money and quantities are Decimal, times are aware of their zone, fields of a later API are ignored.
"""
