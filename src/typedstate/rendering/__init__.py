"""Pictures of trees, as HTML and in the colours of a terminal.

It imports nothing of ours: reports and outlines describe themselves as `Twig`s.
"""
