"""Axis names beside meshes: an array is placed as declared, or not, or that can't be seen."""
