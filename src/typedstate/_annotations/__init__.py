"""Turns annotations into specs: `spec_of` a hint given at run time, `parse` a written one."""
