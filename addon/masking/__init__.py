"""Keys and numbers that don't leave: placeholders stand in their place, and are put back in answers."""
