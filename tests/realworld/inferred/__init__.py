"""Schemas that `infer` writes for public models; see ``write.py``."""
