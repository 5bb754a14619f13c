"""Assembly: settings, dataflows and the command line. Nothing below this package reads settings or the clock."""
