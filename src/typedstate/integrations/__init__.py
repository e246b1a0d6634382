"""What other tools need of typedstate; each module is imported by its tool only."""
