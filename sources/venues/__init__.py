"""Everything that is known of a venue, one folder each; the registry names them all."""
