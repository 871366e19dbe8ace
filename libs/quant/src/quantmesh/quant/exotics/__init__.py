"""Closed forms of exotic options under Black and Scholes, over arrays: engines, and oracles of the simulations.

Conventions are those of `black_scholes`: arguments broadcast, scalars give floats, values outside their domain raise
`DomainError` with the argument's name.
"""

from quantmesh.quant.exotics import barriers, digitals, forward_starts, geometric_averages, lookbacks, two_assets

__all__ = ["barriers", "digitals", "forward_starts", "geometric_averages", "lookbacks", "two_assets"]
