"""What the user set: keys, types, layers and the messages about them."""
