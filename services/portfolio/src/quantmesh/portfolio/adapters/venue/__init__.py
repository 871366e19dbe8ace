"""The paper venue at work: quotes and orders in, fills and halts out, by one replica at a time."""
