"""What every request passes, outermost first: envelope, problems, compression, identity, limits. All plain ASGI."""
