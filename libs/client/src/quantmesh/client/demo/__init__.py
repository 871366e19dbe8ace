"""The main job from end to end, on real prices and through the public API alone."""
