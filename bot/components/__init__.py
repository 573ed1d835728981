"""Graph components of the understanding pipeline."""
