"""From an annotation to its spec: `spec_of` for a hint at run time, `parse` where one stands."""
