"""Only what compiles needs anything of it."""
