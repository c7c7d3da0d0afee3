"""A search server: one index for many clients, in the wire forms that search agents speak."""
