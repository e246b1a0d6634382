"""Tools around schemas; nothing in the core imports them."""
