"""Where schemas are enforced: decorated functions, covered packages, `merge` and `update`."""
