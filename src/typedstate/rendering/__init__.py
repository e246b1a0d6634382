"""Pictures of trees, as HTML and in the colours of a terminal.

It imports nothing else of this package: reports and pictures turn themselves into `Twig`s.
"""
