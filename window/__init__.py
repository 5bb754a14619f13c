"""Windows on a run: a tap on the dataflow's rows, a page for a browser, and the terminal's screen."""
