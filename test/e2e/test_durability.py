"""Durability: what was acknowledged survives kill -9 under load, and a store is one server's alone."""
