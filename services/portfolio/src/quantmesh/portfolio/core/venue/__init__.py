"""The paper venue's book: what rests, and what a quote makes of it. Pure, and the same for the same ticks."""
