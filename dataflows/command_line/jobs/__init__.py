"""What the verbs of ``tickwax`` do, a module each; a verb imports its own when it is called."""
